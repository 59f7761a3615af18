// The report page's style: light and dark by the reader's setting, one column where it is narrow, all views
// on paper.
#pragma once

namespace tinyllm::study {

inline constexpr char kPageStyle[] = R"css(
:root { color-scheme:light dark; --bg:#fff; --ink:#1b2330; --soft:#566172; --line:#dce1e8; --panel:#f7f8fa; --link:#1d4ed8; --tint:#e3ebfb; --good:#0a6b4f; --bad:#a3222c;
  --t0:#1f4fbf; --t1:#0b7a75; --t2:#b45309; --t3:#a3195b; --t4:#566579; --t5:#6d28d9;
  --l0:#2f5fc4; --l1:#d08a2c; --l2:#2a8a80; --l3:#9a4d8f; }
@media (prefers-color-scheme: dark) { :root { --bg:#12161c; --ink:#e6eaf0; --soft:#a3afbd; --line:#2e3743; --panel:#191f27; --link:#8ab4ff; --tint:#1f2f4d; --good:#5fd0a5; --bad:#ff8f8f;
  --t0:#7aa7ff; --t1:#4fd1c5; --t2:#f5a962; --t3:#f28ab2; --t4:#a9b7c8; --t5:#c4a5ff;
  --l0:#6f9bf2; --l1:#e0a552; --l2:#55b8ac; --l3:#c58abd; } }
* { box-sizing:border-box; }
body { margin:0; background:var(--bg); color:var(--ink); font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif; }
.skip { position:absolute; left:-999px; top:8px; padding:8px 14px; background:var(--bg); }
.skip:focus { left:8px; z-index:3; }
:focus-visible { outline:2px solid var(--link); outline-offset:2px; }
h2:focus, main:focus { outline:0; }
.top { max-width:1320px; margin:0 auto; padding:22px 24px 0; }
.top p { margin:2px 0 0; color:var(--soft); font-size:.85rem; }
.columns { max-width:1320px; margin:0 auto; padding:0 24px 64px; display:grid; grid-template-columns:196px minmax(0,1fr); gap:36px; align-items:start; }
main { min-width:0; }
h1 { font-size:1.35rem; line-height:1.2; margin:0; letter-spacing:-.01em; }
h2 { font-size:1.55rem; line-height:1.25; margin:0 0 10px; letter-spacing:-.01em; }
h3 { font-size:1.1rem; margin:40px 0 8px; }
h4 { font-size:1rem; margin:20px 0 6px; }
.view { padding:18px 0 40px; }
.view + .view { border-top:1px solid var(--line); }
.js .view + .view { border-top:0; }
p, li { max-width:80ch; overflow-wrap:anywhere; }
p { margin:8px 0; }
ul { padding-left:1.2em; margin:10px 0; }
li { margin:3px 0; }
.lead, .key { color:var(--soft); }
.key { font-size:.85rem; }
a { color:var(--link); }
code { font-size:.95em; }
small { font-size:.84em; color:var(--soft); }
details > summary { cursor:pointer; color:var(--link); width:fit-content; }
nav { position:sticky; top:0; max-height:100vh; overflow-y:auto; padding:24px 2px 24px 0; font-size:.9rem; }
nav .menu > summary { display:none; }
nav ul { list-style:none; padding:0; margin:0; }
nav li { margin:0; }
nav .group { margin:18px 10px 4px; color:var(--soft); font-size:.8rem; }
nav a { display:block; padding:4px 10px; border-radius:6px; color:var(--ink); text-decoration:none; overflow-wrap:anywhere; }
nav a:hover { background:var(--panel); }
nav a[aria-current] { background:var(--tint); font-weight:600; }
label { font-size:.82rem; color:var(--soft); display:flex; flex-direction:column; gap:3px; }
input, select, button { font:inherit; color:var(--ink); background:var(--bg); border:1px solid var(--soft); border-radius:6px; padding:5px 8px; min-width:0; }
nav label { margin:0 2px 16px; }
nav input { width:100%; }
button { cursor:pointer; }
.scroll { position:relative; overflow-x:auto; margin:14px 0; border:1px solid var(--line); border-radius:8px; }
table { border-collapse:collapse; font-size:.82rem; font-variant-numeric:tabular-nums; width:100%; }
caption { text-align:left; padding:8px 12px; color:var(--soft); caption-side:top; }
caption button { float:right; font-size:.75rem; padding:1px 8px; margin-left:12px; color:var(--soft); border-color:var(--line); }
th, td { padding:5px 8px; text-align:right; white-space:nowrap; border-top:1px solid var(--line); font-weight:400; vertical-align:top; }
thead th { background:var(--panel); color:var(--soft); font-weight:600; vertical-align:bottom; }
th.l, td.l { text-align:left; }
tbody th { font-weight:600; }
tfoot th, tfoot td { color:var(--soft); background:var(--panel); }
tbody tr:hover > * { background:var(--panel); }
td.best { font-weight:700; }
td.bar { background:linear-gradient(to right,var(--tint) var(--v),transparent var(--v)) left center/100% 72% no-repeat; min-width:140px; }
.facts th, .facts td { text-align:left; white-space:normal; overflow-wrap:anywhere; }
.facts th { width:13em; }
thead button { border:0; padding:0; background:none; color:inherit; font-weight:600; text-align:inherit; }
thead button:hover { color:var(--ink); }
[aria-sort=ascending] button::after { content:" ↑"; }
[aria-sort=descending] button::after { content:" ↓"; }
.share i { width:84px; height:10px; display:block; margin:5px 0 0 auto; border-radius:2px;
  background:linear-gradient(to right,var(--l0) var(--a,100%),var(--l1) var(--a,100%) var(--b,100%),var(--l2) var(--b,100%) var(--c,100%),var(--l3) var(--c,100%)); }
.grid { align-items:start; display:grid; grid-template-columns:repeat(auto-fit,minmax(min(100%,400px),1fr)); gap:18px; margin:12px 0; }
.three { grid-template-columns:repeat(auto-fit,minmax(min(100%,310px),1fr)); }
figure { margin:0; padding:14px 14px 8px; border:1px solid var(--line); border-radius:8px; background:var(--panel); min-width:0; }
figcaption { font-size:.85rem; color:var(--soft); margin-bottom:8px; }
figure svg { display:block; width:100%; max-width:580px; height:auto; margin:0 auto; }
.three figure svg { max-width:440px; }
.wide figure svg { max-width:none; }
.legend { list-style:none; display:flex; flex-wrap:wrap; gap:4px 18px; padding:0; margin:8px 0; font-size:.85rem; color:var(--soft); }
.legend li { display:flex; align-items:center; gap:6px; margin:0; }
.legend svg { width:14px; height:14px; flex:none; }
.k { display:inline-block; width:0; height:1em; margin:0 6px 0 12px; vertical-align:-.15em; }
.k.chance { border-left:2px dashed var(--soft); }
.k.constant { border-left:2px dotted var(--ink); }
svg rect { rx:1.5px; }
svg text { font-family:inherit; fill:var(--ink); }
svg .tick { font-size:11px; fill:var(--soft); }
svg .axis { font-size:11.5px; fill:var(--soft); }
svg .label { font-size:12px; }
svg .heading { font-size:12px; font-weight:600; }
svg .value { font-size:11px; fill:var(--soft); }
svg .strong { font-weight:600; }
svg .grid { stroke:var(--line); stroke-width:1; }
.rule { stroke:var(--line); stroke-width:1.5; }
svg .chance { stroke:var(--soft); stroke-width:1.4; stroke-dasharray:5 3; fill:none; }
svg .constant { stroke:var(--ink); stroke-width:1.4; stroke-dasharray:1.5 2.5; fill:none; }
.front { fill:none; stroke:var(--soft); stroke-width:1.5; opacity:.7; }
.curve { fill:none; stroke:var(--soft); stroke-width:1.2; opacity:.65; }
.curve.strong { stroke:var(--ink); stroke-width:2.4; opacity:1; }
.trace { fill:none; stroke:var(--c); stroke-width:1.5; stroke-linejoin:round; }
.idle { stroke:var(--c); stroke-width:1; stroke-dasharray:4 4; opacity:.7; }
.held { fill:var(--bad); }
.median { stroke:var(--bg); stroke-width:2.2; }
.whisker { stroke-width:1.8; stroke:var(--c); }
.whisker.thin { stroke-width:1.2; opacity:.6; }
.mark { fill:var(--c); stroke:var(--panel); stroke-width:1; }
.hollow { fill:none; stroke:var(--ink); stroke-width:1.5; }
.bar, .box { fill:var(--c); }
.soft { fill:var(--c); opacity:.38; }
svg .dim { opacity:.1; }
svg .t0 { --c:var(--t0); } svg .t1 { --c:var(--t1); } svg .t2 { --c:var(--t2); }
svg .t3 { --c:var(--t3); } svg .t4 { --c:var(--t4); } svg .t5 { --c:var(--t5); }
.l0 { fill:var(--l0); } .l1 { fill:var(--l1); } .l2 { fill:var(--l2); } .l3 { fill:var(--l3); } .l4 { fill:var(--soft); }
.controls { display:flex; flex-wrap:wrap; gap:12px 16px; margin:16px 0; align-items:end; }
.controls select { max-width:260px; }
.q th { white-space:normal; text-align:left; }
.q td.text { white-space:normal; text-align:left; min-width:min(260px,50vw); overflow-wrap:anywhere; }
.q td.text span { display:-webkit-box; -webkit-line-clamp:2; -webkit-box-orient:vertical; overflow:hidden; }
.q .open { color:var(--link); border:0; padding:0; background:none; font-weight:600; text-decoration:underline; }
.q tr.detail > td { white-space:normal; text-align:left; background:var(--panel); padding:14px 16px 18px; }
.wrap { position:sticky; left:16px; width:fit-content; max-width:min(100%,calc(100vw - 68px)); }
.full { white-space:pre-wrap; margin:0 0 10px; max-width:80ch; overflow-wrap:anywhere; }
.choices { list-style:none; padding:0; margin:0 0 12px; }
.choices li { padding:2px 0; }
.choices b { display:inline-block; min-width:1.6em; }
.detail .scroll { width:fit-content; max-width:100%; margin:0; border:0; }
.inner { width:auto; background:var(--bg); border:1px solid var(--line); }
.inner td.p { min-width:84px; background:linear-gradient(to right,var(--tint) var(--v),transparent var(--v)); }
.yes { color:var(--good); font-weight:600; } .no { color:var(--bad); font-weight:600; }
.status { color:var(--soft); font-size:.85rem; }
.sr { position:absolute; width:1px; height:1px; overflow:hidden; clip-path:inset(50%); white-space:nowrap; }
[hidden] { display:none !important; }
@media (max-width:900px) { .columns { grid-template-columns:minmax(0,1fr); gap:0; padding:0 16px 48px; } .top { padding:16px 16px 0; }
  nav { position:static; max-height:none; padding:12px 0 0; } nav .menu > summary { display:block; padding:4px 0; } nav .menu[open] { border-bottom:1px solid var(--line); padding-bottom:12px; }
  h2 { font-size:1.35rem; } figure { padding:12px 8px 6px; } }
@page { size:A4 landscape; margin:12mm; }
@media print { :root { color-scheme:light; --bg:#fff; --ink:#000; --soft:#444; --line:#bbb; --panel:#fff; --link:#000; --tint:#dde6f7; --good:#0a5a43; --bad:#8c1c25;
    --t0:#1f4fbf; --t1:#0b7a75; --t2:#b45309; --t3:#a3195b; --t4:#566579; --t5:#6d28d9; --l0:#2f5fc4; --l1:#d08a2c; --l2:#2a8a80; --l3:#9a4d8f; }
  body { font-size:10.5pt; -webkit-print-color-adjust:exact; print-color-adjust:exact; } nav, .skip, caption button, .controls, .ask, #questions { display:none !important; }
  .columns { display:block; padding:0; max-width:none; } .top { padding:0; } .view, .view[hidden] { display:block !important; padding:8pt 0; } tr[hidden] { display:table-row !important; }
  .scroll { overflow:visible; border:0; } table { font-size:7.5pt; } th, td { padding:2pt 4pt; } .grid { grid-template-columns:1fr 1fr; gap:8pt; } figure, tr, .legend { break-inside:avoid; } h2, h3 { break-after:avoid; } }
)css";

}  // namespace tinyllm::study
