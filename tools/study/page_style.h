// The report page's style and its one script (tables that sort when a heading is clicked).
#pragma once

namespace tinyllm::study {

inline constexpr char kPageStyle[] = R"css(
:root { --bg:#fff; --ink:#1c2430; --soft:#5a6675; --line:#d9dfe7; --panel:#f7f9fb; --link:#1d4ed8;
  --t0:#1f4fbf; --t1:#0b7a75; --t2:#b45309; --t3:#a3195b; --t4:#5b6b7f; --t5:#6d28d9;
  --l0:#2f5fc4; --l1:#d08a2c; --l2:#2a8a80; --l3:#9a4d8f; }
@media (prefers-color-scheme: dark) { :root { --bg:#12161c; --ink:#e6eaf0; --soft:#a3afbd; --line:#2e3743; --panel:#191f27; --link:#8ab4ff;
  --t0:#7aa7ff; --t1:#4fd1c5; --t2:#f5a962; --t3:#f28ab2; --t4:#a9b7c8; --t5:#c4a5ff;
  --l0:#6f9bf2; --l1:#e0a552; --l2:#55b8ac; --l3:#c58abd; } }
* { box-sizing:border-box; }
body { margin:0; background:var(--bg); color:var(--ink); font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif; }
main { max-width:1120px; margin:0 auto; padding:24px 20px 64px; }
h1 { font-size:1.9rem; line-height:1.2; margin:0 0 12px; letter-spacing:-.01em; }
h2 { font-size:1.35rem; margin:48px 0 8px; padding-top:16px; border-top:1px solid var(--line); }
h3 { font-size:1.05rem; margin:32px 0 6px; }
p, li { max-width:78ch; overflow-wrap:anywhere; }
p { margin:8px 0; }
ul { padding-left:1.2em; }
.lead { color:var(--soft); }
nav { display:flex; flex-wrap:wrap; gap:8px 20px; margin-top:16px; }
a { color:var(--link); }
code { font-size:.95em; }
.scroll { overflow-x:auto; margin:16px 0; border:1px solid var(--line); border-radius:8px; }
.scroll:focus-visible { outline:2px solid var(--link); }
table { border-collapse:collapse; font-size:.82rem; font-variant-numeric:tabular-nums; width:100%; }
caption { text-align:left; padding:8px 12px; color:var(--soft); caption-side:top; }
th, td { padding:6px 10px; text-align:right; white-space:nowrap; border-top:1px solid var(--line); font-weight:400; }
thead th { border-top:0; background:var(--panel); color:var(--soft); font-weight:600; }
caption + thead th { border-top:1px solid var(--line); }
th:first-child, :is(th, td):nth-child(2) { text-align:left; }
tbody th { font-weight:600; }
.facts th, .facts td { text-align:left; white-space:normal; }
.facts th { width:11em; }
.sortable thead th { cursor:pointer; }
.share svg { width:84px; height:10px; display:block; margin-left:auto; }
.share span { font-size:.72rem; color:var(--soft); }
.grid { display:grid; grid-template-columns:repeat(auto-fit,minmax(min(100%,420px),1fr)); gap:20px; margin:12px 0; }
figure { margin:0; padding:14px 14px 8px; border:1px solid var(--line); border-radius:8px; background:var(--panel); min-width:0; }
figcaption { font-size:.85rem; color:var(--soft); margin-bottom:8px; }
figure svg { display:block; width:100%; max-width:560px; height:auto; margin:0 auto; }
.legend { list-style:none; display:flex; flex-wrap:wrap; gap:4px 18px; padding:0; margin:8px 0; font-size:.85rem; color:var(--soft); }
.legend li { display:flex; align-items:center; gap:6px; }
.legend svg { width:14px; height:14px; flex:none; }
.key { font-size:.85rem; color:var(--soft); }
.k { display:inline-block; width:0; height:1em; margin:0 6px 0 12px; vertical-align:-.15em; }
.k.chance { border-left:2px dashed var(--soft); }
.k.constant { border-left:2px dotted var(--ink); }
svg text { font-family:inherit; fill:var(--ink); }
.tick { font-size:11px; fill:var(--soft); }
.axis { font-size:11.5px; fill:var(--soft); }
.label { font-size:12px; }
.heading { font-size:12px; font-weight:600; }
.value { font-size:11px; fill:var(--soft); }
.grid line.grid, svg .grid { stroke:var(--line); stroke-width:1; }
.rule { stroke:var(--line); stroke-width:1; }
svg .chance { stroke:var(--soft); stroke-width:1.4; stroke-dasharray:5 3; fill:none; }
svg .constant { stroke:var(--ink); stroke-width:1.4; stroke-dasharray:1.5 2.5; fill:none; }
.front { fill:none; stroke:var(--soft); stroke-width:1.5; stroke-dasharray:none; opacity:.7; }
.median { stroke:var(--bg); stroke-width:2.2; }
.whisker { stroke-width:1.8; stroke:var(--c); }
.whisker.thin { stroke-width:1.2; opacity:.75; }
.mark { fill:var(--c); stroke:var(--panel); stroke-width:1; }
.hollow { fill:none; stroke:var(--ink); stroke-width:1.5; }
.bar, .box { fill:var(--c); }
.soft { fill:var(--c); opacity:.38; }
svg .t0 { --c:var(--t0); } svg .t1 { --c:var(--t1); } svg .t2 { --c:var(--t2); }
svg .t3 { --c:var(--t3); } svg .t4 { --c:var(--t4); } svg .t5 { --c:var(--t5); }
.l0 { fill:var(--l0); } .l1 { fill:var(--l1); } .l2 { fill:var(--l2); } .l3 { fill:var(--l3); } .l4 { fill:var(--soft); }
@media (max-width:600px) { main { padding:18px 14px 48px; } h1 { font-size:1.55rem; } figure { padding:12px 8px 6px; } }
@media print { .scroll { overflow:visible; border:0; } figure { break-inside:avoid; } }
)css";

inline constexpr char kPageScript[] = R"js(
document.querySelectorAll('table.sortable').forEach(function (table) {
  table.querySelectorAll('thead th').forEach(function (head, column) {
    head.tabIndex = 0;
    function sort() {
      var body = table.tBodies[0], up = head.getAttribute('aria-sort') !== 'ascending';
      table.querySelectorAll('thead th').forEach(function (h) { h.removeAttribute('aria-sort'); });
      head.setAttribute('aria-sort', up ? 'ascending' : 'descending');
      Array.from(body.rows).sort(function (a, b) {
        var x = a.cells[column].textContent, y = b.cells[column].textContent, m = parseFloat(x), n = parseFloat(y);
        var order = isNaN(m) || isNaN(n) ? x.localeCompare(y) : m - n;
        return up ? order : -order;
      }).forEach(function (row) { body.appendChild(row); });
    }
    head.addEventListener('click', sort);
    head.addEventListener('keydown', function (e) { if (e.key === 'Enter') sort(); });
  });
});
)js";

}  // namespace tinyllm::study
