// The report page's one script. Without it the page has everything but sorting, filtering and the questions
// one by one. Texts of questions only ever become text nodes.
#pragma once

namespace tinyllm::study {

inline constexpr char kPageScript[] = R"js(
'use strict';
(function () {
  var root = document.documentElement, views = Array.from(document.querySelectorAll('.view'));
  function make(tag, attributes, children) {
    var node = document.createElement(tag);
    Object.keys(attributes || {}).forEach(function (key) {
      if (key === 'text') node.textContent = attributes[key]; else node.setAttribute(key, attributes[key]);
    });
    (children || []).forEach(function (child) { node.append(child); });
    return node;
  }

  // One view at a time, by the address.
  function path() {
    try { return decodeURIComponent(location.hash.slice(1)); } catch (e) { return ''; }
  }
  function show(focus) {
    var to = path().split('/')[0], target = to && document.getElementById(to);
    var view = target && target.closest('.view') || views[0];
    views.forEach(function (other) { other.hidden = other !== view; });
    document.querySelectorAll('nav a').forEach(function (a) {
      if (a.getAttribute('href') === '#' + view.id) a.setAttribute('aria-current', 'page'); else a.removeAttribute('aria-current');
    });
    document.title = view.querySelector('h2').textContent + ' · tinyllm study';
    if (view.id === 'questions') explore(path().split('/').slice(1));
    if (focus) {
      scrollTo(0, 0);
      view.querySelector('h2').focus({preventScroll: true});
      var menu = document.querySelector('.menu');
      if (narrow.matches) menu.open = false;
    }
  }
  var narrow = matchMedia('(max-width:900px)');
  function fold() { document.querySelector('.menu').open = !narrow.matches; }
  narrow.addEventListener('change', fold);
  document.querySelector('.skip').addEventListener('click', function (e) {  // no change of view
    e.preventDefault();
    document.getElementById('content').focus();
  });
  addEventListener('hashchange', function () { show(true); });
  document.querySelectorAll('[data-to]').forEach(function (a) {
    a.setAttribute('href', '#' + encodeURIComponent('questions/' + a.dataset.to));
  });
  addEventListener('beforeprint', function () { document.querySelectorAll('details').forEach(function (d) { d.open = true; }); });
  addEventListener('afterprint', fold);

  // Tables: sorted by their headings; what has no figure stays at the end.
  function value(cell) {
    var text = cell.textContent.trim(), number = parseFloat(text);
    if (text === '–' || text === 'not measured') return null;
    return isNaN(number) ? text : number;
  }
  function sortable(table) {
    Array.from(table.tHead.rows[0].cells).forEach(function (head, column) {
      var button = make('button', {type: 'button', text: head.textContent});
      head.replaceChildren(button);
      button.addEventListener('click', function () {
        var body = table.tBodies[0], rows = Array.from(body.rows);
        var numeric = rows.some(function (row) { return typeof value(row.cells[column]) === 'number'; });
        var now = head.getAttribute('aria-sort'), up = now ? now === 'descending' : !numeric;
        Array.from(head.parentNode.cells).forEach(function (h) { h.removeAttribute('aria-sort'); });
        head.setAttribute('aria-sort', up ? 'ascending' : 'descending');
        rows.sort(function (a, b) {
          var x = value(a.cells[column]), y = value(b.cells[column]);
          if (x === null || y === null) return (x === null) - (y === null);
          var order = typeof x === 'number' && typeof y === 'number' ? x - y : String(x).localeCompare(String(y));
          return up ? order : -order;
        }).forEach(function (row) { body.append(row); });
      });
    });
  }
  function csv(table) {
    return Array.from(table.rows).filter(function (row) { return !row.hidden; }).map(function (row) {
      return Array.from(row.cells).map(function (cell) {
        var text = cell.textContent.trim();
        if (/^[=+@-]./.test(text) && isNaN(parseFloat(text))) text = "'" + text;  // no formula for a spreadsheet
        return /[",\n]/.test(text) ? '"' + text.replace(/"/g, '""') + '"' : text;
      }).join(',');
    }).join('\n') + '\n';
  }
  document.querySelectorAll('table.sortable').forEach(function (table) {
    sortable(table);
    var name = table.caption.textContent, button = make('button', {type: 'button', text: 'CSV', 'aria-label': 'CSV of: ' + name});
    button.addEventListener('click', function () {
      var link = make('a', {href: URL.createObjectURL(new Blob([csv(table)], {type: 'text/csv'})),
                            download: name.replace(/[^\w.-]+/g, '_') + '.csv'});
      link.click();
      URL.revokeObjectURL(link.href);
    });
    table.caption.append(button);
  });

  // The filter: rows of models and types, and what stands for them in the charts.
  var filter = make('input', {type: 'search', autocomplete: 'off'}), found = make('p', {'class': 'status', 'aria-live': 'polite'});
  function apply() {
    var words = filter.value.toLowerCase().split(/\s+/).filter(Boolean), rows = 0, all = 0;
    function matches(text) { return words.every(function (word) { return text.toLowerCase().includes(word); }); }
    document.querySelectorAll('table.filtered').forEach(function (table) {
      Array.from(table.tBodies[0].rows).forEach(function (row) {
        row.hidden = !matches(row.cells[0].textContent + ' ' + row.cells[1].textContent + ' ' + (row.cells[2] || {}).textContent);
        all += 1;
        rows += !row.hidden;
      });
    });
    document.querySelectorAll('figure svg .mark, figure svg .curve, figure svg .trace, figure svg .box, figure svg .bar').forEach(function (mark) {
      var title = mark.querySelector('title');
      mark.classList.toggle('dim', words.length > 0 && !(title && matches(title.textContent)));
    });
    found.textContent = words.length ? rows + ' of ' + all + ' rows' : '';
  }
  filter.addEventListener('input', apply);
  document.querySelector('nav').prepend(make('label', {}, ['Filter models and types', filter]), found);

  // Questions one by one.
  var data = null, digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  var controls = null, body = null, shown = 50;
  function number(text, at) { return digits.indexOf(text[at]) * 64 + digits.indexOf(text[at + 1]); }
  function answers(set, question) {
    if (question.answers) return question.answers;
    var at = 0;
    question.answers = set.entries.map(function (entry) {
      var chosen = question.a[at++];
      if (chosen === '.') return null;
      var shares = [], left = 1;
      for (var i = 0; i + 1 < question.k; ++i, at += 2) shares.push(number(question.a, at) / 4095);
      shares.forEach(function (share) { left -= share; });
      shares.push(Math.max(left, 0));
      var ms = Math.pow(10, number(question.a, at) / 4095 * 9 - 3);
      at += 2;
      return {entry: data.entries[entry], chosen: Number(chosen), shares: shares, ms: ms, right: Number(chosen) === question.g};
    });
    return question.answers;
  }
  function letter(i) { return i < 0 ? '–' : String.fromCharCode(65 + i); }
  function verdict(answer) {
    return make('span', {'class': answer.right ? 'yes' : 'no'},
                [letter(answer.chosen) + (answer.right ? ' ✓' : ' ✗'), make('span', {'class': 'sr', text: answer.right ? ' right' : ' wrong'})]);
  }
  function option(text, value) { return make('option', {value: value, text: text}); }
  function start() {
    data = JSON.parse(document.getElementById('data').textContent);
    var models = Array.from(new Set(data.entries.map(function (e) { return e[0]; })));
    controls = {
      set: make('select', {}, data.sets.map(function (set, i) { return option(set.protocol + ' · ' + set.title, i); })),
      model: make('select', {}, [option('all models', '')].concat(models.map(function (m) { return option(m, m); }))),
      only: make('select', {}, [option('all', ''), option('where answers differ', 'differ'), option('answered wrongly by some', 'wrong'), option('answered wrongly by all', 'all')]),
      text: make('input', {type: 'search', autocomplete: 'off'})
    };
    body = make('div');
    document.getElementById('explorer').append(
      make('div', {'class': 'controls'}, [make('label', {}, ['Task', controls.set]), make('label', {}, ['Model', controls.model]),
                                          make('label', {}, ['Show', controls.only]), make('label', {}, ['Words in the question', controls.text])]), body);
    ['set', 'model', 'only'].forEach(function (key) { controls[key].addEventListener('change', list); });
    controls.text.addEventListener('input', list);
  }
  function explore(parts) {
    if (!data) start();
    if (parts.length > 1) {
      data.sets.forEach(function (set, i) { if (set.protocol === parts[0] && set.task === parts[1]) controls.set.value = i; });
      controls.model.value = parts.slice(2).join('/');
      if (controls.model.selectedIndex < 0) controls.model.value = '';
    }
    list();
  }
  function list() {
    var set = data.sets[controls.set.value];
    if (!set) { body.replaceChildren(make('p', {text: 'No question was answered.'})); return; }
    var model = controls.model.value, only = controls.only.value, words = controls.text.value.toLowerCase();
    function some(question) {
      return answers(set, question).filter(function (a) { return a && (!model || a.entry[0] === model); });
    }
    var questions = set.questions.filter(function (question) {
      var list = some(question), wrong = list.filter(function (a) { return !a.right; }).length;
      if (!list.length || only === 'wrong' && !wrong || only === 'all' && wrong < list.length) return false;
      if (only === 'differ' && list.every(function (a) { return a.chosen === list[0].chosen; })) return false;
      return !words || ((question.q || '') + ' ' + (question.c || []).join(' ')).toLowerCase().includes(words);
    });
    var types = model ? set.entries.map(function (e) { return data.entries[e]; }).filter(function (e) { return e[0] === model; }) : [];
    if (types.length > 12) types = [];
    var boards = new Set(data.entries.map(function (e) { return e[3]; })).size > 1;
    var heads = ['number', 'question', 'right answer', 'answered rightly'].concat(types.map(function (e) { return e[1] + (boards ? ', ' + e[3] : ''); }), ['median ms']);
    var rows = make('tbody');
    questions.slice(0, shown).forEach(function (question) {
      var mine = some(question), right = mine.filter(function (a) { return a.right; }).length;
      var button = make('button', {type: 'button', 'class': 'open', 'aria-expanded': 'false', 'aria-label': 'Question ' + question.i, text: question.i});
      var times = mine.map(function (a) { return a.ms; }).sort(function (a, b) { return a - b; });
      var row = make('tr', {}, [make('th', {scope: 'row'}, [button]),
                                make('td', {'class': 'text'}, [make('span', {dir: 'auto', text: question.q ? brief(question.q, set.protocol) : 'no text'})]),
                                make('td', {text: letter(question.g)}), make('td', {text: right + ' of ' + mine.length})]);
      types.forEach(function (type) {
        var answer = mine.find(function (a) { return a.entry === type; });
        row.append(make('td', {}, [answer ? verdict(answer) : '–']));
      });
      row.append(make('td', {text: show_ms(times[times.length >> 1])}));
      button.addEventListener('click', function () {
        var open = button.getAttribute('aria-expanded') === 'true';
        button.setAttribute('aria-expanded', String(!open));
        if (open) row.nextSibling.remove(); else row.after(detail(question, mine, heads.length, boards));
      });
      rows.append(row);
    });
    var words_ = questions.length + ' of ' + set.questions.length + ' questions on this page; the task asked ' + set.n + '.';
    var table = make('table', {'class': 'q'}, [make('caption', {}, [make('span', {text: set.title + ', protocol ' + set.protocol})]),
      make('thead', {}, [make('tr', {}, heads.map(function (h, i) { return make('th', {scope: 'col', text: h, 'class': i < 2 ? 'l' : ''}); }))]), rows]);
    body.replaceChildren(make('p', {'class': 'status', 'aria-live': 'polite', text: words_}),
                         make('div', {'class': 'scroll', tabindex: '0', role: 'region', 'aria-label': 'Questions'}, [table]));
    if (questions.length > shown) {
      var more = make('button', {type: 'button', text: 'Show 50 more'});
      more.addEventListener('click', function () { shown += 50; list(); });
      body.append(more);
    }
  }
  function brief(text, protocol) {  // lm-eval asks in the last line
    var lines = text.trim().split('\n');
    if (protocol === 'lm-eval' && lines.length > 1 && lines[lines.length - 1] === 'Answer:') return lines[lines.length - 2];
    return text.length > 240 ? text.slice(0, 120) + ' … ' + text.slice(-110) : text;
  }
  function show_ms(ms) { return ms >= 100 ? ms.toFixed(0) : ms >= 10 ? ms.toFixed(1) : ms.toFixed(2); }
  function detail(question, list, width, boards) {
    var parts = [];
    if (question.q) parts.push(make('p', {'class': 'full', dir: 'auto', text: question.q}));
    if (question.c && question.c.length) parts.push(make('ul', {'class': 'choices'}, question.c.map(function (choice, i) {
      return make('li', {}, [make('b', {text: letter(i)}), make('span', {dir: 'auto', text: choice}),
                             i === question.g ? make('span', {'class': 'yes', text: ' ✓ right answer'}) : '']);
    })));
    if (question.g < 0) parts.push(make('p', {'class': 'key', text: 'No letter can be right: the data names another.'}));
    var heads = ['model', 'type'].concat(boards ? ['board'] : [], ['answer']);
    for (var i = 0; i < question.k; ++i) heads.push('share of ' + letter(i));
    heads.push('ms');
    parts.push(make('div', {'class': 'scroll', tabindex: '0', role: 'region', 'aria-label': 'Answers to question ' + question.i}, [
      make('table', {'class': 'inner'}, [
        make('thead', {}, [make('tr', {}, heads.map(function (h, i) { return make('th', {scope: 'col', text: h, 'class': i < 2 ? 'l' : ''}); }))]),
        make('tbody', {}, list.map(function (answer) {
          var cells = [make('th', {scope: 'row', 'class': 'l', text: answer.entry[0]}), make('td', {'class': 'l', text: answer.entry[1]})];
          if (boards) cells.push(make('td', {'class': 'l', text: answer.entry[3]}));
          cells.push(make('td', {}, [verdict(answer)]));
          answer.shares.forEach(function (share) {
            var cell = make('td', {'class': 'p', text: (100 * share).toFixed(1) + ' %'});
            cell.style.setProperty('--v', (100 * share).toFixed(1) + '%');
            cells.push(cell);
          });
          cells.push(make('td', {text: show_ms(answer.ms)}));
          return make('tr', {}, cells);
        }))])]));
    return make('tr', {'class': 'detail'}, [make('td', {colspan: width}, [make('div', {'class': 'wrap'}, parts)])]);
  }

  root.classList.add('js');
  fold();
  show(false);
})();
)js";

}  // namespace tinyllm::study
