#pragma once
/// How the page of a health report looks: one column on a phone, dark where the reader's system is.

#include <string_view>

namespace kindling::detail {

inline constexpr std::string_view health_page_style = R"(
:root {
  --page: #f6f7f9; --card: #fff; --ink: #1d2330; --soft: #5b6474; --line: #dfe3ea; --none: #eceff3;
  --error: #b3261e; --warning: #8a5a00; --note: #2d5f8a; --clean: #1d6b3a; --train: #4a7fb5; --valid: #e0a03c;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #14171d; --card: #1d222b; --ink: #e7eaf0; --soft: #9ba5b5; --line: #323a47; --none: #2a313c;
    --error: #ff8a80; --warning: #f3bd5b; --note: #8bbce8; --clean: #7dd29a;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: 1.5rem 1rem 3rem; max-width: 68rem; background: var(--page); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif;
}
h1 { margin: 0 0 .5rem; font-size: 1.7rem; overflow-wrap: anywhere; }
h2 { margin: 0; font-size: 1.15rem; }
p { margin: .25rem 0; }
small { display: block; color: var(--soft); font-size: .8rem; overflow-wrap: anywhere; }
.verdict { font-size: 1.1rem; font-weight: 600; }
.verdict.error, .error .tag { color: var(--error); }
.verdict.warning, .warning .tag { color: var(--warning); }
.verdict.clean { color: var(--clean); }
.note .tag { color: var(--note); }
.facts, section > p, footer { color: var(--soft); }
nav { display: flex; flex-wrap: wrap; gap: .5rem; margin: 1rem 0; }
nav a {
  padding: .3rem .7rem; border: 1px solid var(--line); border-radius: 1rem; background: var(--card);
  color: inherit; font-size: .85rem; text-decoration: none;
}
nav a:hover, nav a:focus-visible { border-color: currentColor; }
nav a.error { color: var(--error); }
nav a.warning { color: var(--warning); }
nav a.note { color: var(--note); }
section {
  margin: 0 0 1rem; padding: 1rem; border: 1px solid var(--line); border-radius: .6rem; background: var(--card);
}
section.error { border-left: 4px solid var(--error); }
section.warning { border-left: 4px solid var(--warning); }
section.note { border-left: 4px solid var(--note); }
.tag { font-size: .75rem; text-transform: uppercase; letter-spacing: .05em; margin-right: .3rem; }
.cases { display: flex; flex-wrap: wrap; gap: .8rem; margin-top: .8rem; }
.group { padding: .6rem; border: 1px solid var(--line); border-radius: .5rem; }
.group p { margin: .4rem 0 0; color: var(--soft); font-size: .8rem; }
.row { display: flex; flex-wrap: wrap; gap: .6rem; }
figure { margin: 0; width: 9.5rem; }
figure img, .none {
  display: block; width: 100%; height: 9.5rem; object-fit: contain; border-radius: .3rem; background: var(--none);
}
.none { display: grid; place-items: center; color: var(--soft); font-size: .85rem; }
figcaption { margin-top: .3rem; font-size: .85rem; line-height: 1.35; overflow-wrap: anywhere; }
.label, .side {
  display: inline-block; padding: 0 .35rem; border-radius: .25rem; background: var(--none); font-size: .75rem;
}
.side { color: var(--note); }
.labels { margin: .6rem 0 0; padding-left: 1.2rem; }
.labels b, li { overflow-wrap: anywhere; }
.labels small { display: inline; }
details { margin-top: .8rem; font-size: .85rem; }
summary { cursor: pointer; color: var(--soft); }
table { width: 100%; margin-top: .6rem; border-collapse: collapse; font-size: .9rem; }
th { color: var(--soft); font-weight: 500; text-align: right; }
th:first-child { text-align: left; }
td { padding: .2rem 0 .2rem .6rem; border-top: 1px solid var(--line); text-align: right; }
td:first-child { padding-left: 0; text-align: left; overflow-wrap: anywhere; }
td.bar { width: 45%; white-space: nowrap; font-size: 0; text-align: left; }
.bar i { display: inline-block; height: .7rem; }
.bar .train { background: var(--train); }
.bar .valid { background: var(--valid); }
footer { margin-top: 2rem; font-size: .8rem; }
@media (max-width: 30rem) {
  .cases > figure, .row figure { width: calc(50% - .4rem); }
  .group { width: 100%; }
  td.bar { width: 30%; }
}
)";

}  // namespace kindling::detail
