/**
 * How pages look: quiet, one column, readable at 320 px and by keyboard, in light and dark. Every pair of text and ground below
 * has a contrast of at least 4.5 : 1 (WCAG 2.2 AA); colour never says anything alone.
 */
export const style = `
:root {
  color-scheme: light dark;
  --ground: light-dark(#fbfaf8, #16181b);
  --card: light-dark(#ffffff, #1e2125);
  --ink: light-dark(#1c1e21, #e8e6e1);
  --soft: light-dark(#5a5f66, #a5abb3);
  --line: light-dark(#dedbd5, #363b42);
  --inset: light-dark(#f4f2ee, #14161a);
  --accent: light-dark(#1f5f8b, #7cb8e4);
  --accent-ink: light-dark(#ffffff, #10202c);
  --good: light-dark(#1d6b3a, #7fd39a);
  --bad: light-dark(#a32020, #f29a94);
  --warn: light-dark(#7a4d00, #e8bd6a);
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0; background: var(--ground); color: var(--ink); font: 1rem/1.55 ui-sans-serif, system-ui, "Segoe UI", Roboto, sans-serif; }
main { max-width: 46rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 .5rem; overflow-wrap: anywhere; }
h2 { font-size: 1.05rem; margin: 0 0 .75rem; }
p { margin: 0 0 .75rem; }
a { color: var(--accent); }
code, pre { font-family: ui-monospace, "SF Mono", Menlo, Consolas, monospace; font-size: .9rem; }
code { overflow-wrap: anywhere; }
pre { background: var(--inset); border: 1px solid var(--line); border-radius: .4rem; margin: 0; padding: .6rem .75rem; white-space: pre-wrap; overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .4rem .6rem .4rem 0; border-bottom: 1px solid var(--line); overflow-wrap: anywhere; }
.soft { color: var(--soft); }
.top { display: flex; flex-wrap: wrap; gap: .25rem 1rem; justify-content: space-between; margin-bottom: 1.5rem; color: var(--soft); font-size: .9rem; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: .6rem; padding: 1rem; margin: 0 0 1rem; }
.notice { border-left: .3rem solid var(--warn); }
.notice.good { border-left-color: var(--good); }
.notice.bad { border-left-color: var(--bad); }
.notice > :last-child { margin-bottom: 0; }
.tag { display: inline-block; border: 1px solid currentColor; border-radius: 1rem; padding: 0 .6rem; font-size: .85rem; white-space: nowrap; }
.good { color: var(--good); } .bad { color: var(--bad); } .warn { color: var(--warn); }
.notice.good, .notice.bad { color: var(--ink); }
dl { display: grid; grid-template-columns: minmax(6.5rem, max-content) 1fr; gap: .4rem 1rem; margin: 0; }
dt { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; min-width: 0; }
.arguments { display: block; }
.arguments dt { margin-top: .75rem; font-family: ui-monospace, Menlo, Consolas, monospace; font-size: .9rem; overflow-wrap: anywhere; }
.arguments dt:first-child { margin-top: 0; }
.arguments .tag { font: .8rem/1.4 ui-sans-serif, system-ui, sans-serif; }
.arguments dd { margin-top: .2rem; }
ul.list { list-style: none; margin: 0; padding: 0; }
ul.list > li { padding: .6rem 0; border-top: 1px solid var(--line); overflow-wrap: anywhere; }
ul.list > li:first-child { border-top: 0; padding-top: 0; }
ul.list > li:last-child { padding-bottom: 0; }
label { display: block; margin-bottom: .25rem; }
textarea, input, select { font: inherit; color: inherit; background: var(--inset); border: 1px solid var(--soft); border-radius: .4rem; padding: .5rem .6rem; width: 100%; margin-bottom: .75rem; }
button { font: inherit; min-height: 2.75rem; padding: .5rem 1.25rem; border: 1px solid var(--soft); border-radius: .4rem; background: var(--card); color: var(--ink); cursor: pointer; }
button.primary { background: var(--accent); border-color: var(--accent); color: var(--accent-ink); font-weight: 600; }
button:disabled { background: var(--inset); border-color: var(--line); color: var(--soft); cursor: not-allowed; font-weight: 400; }
.buttons { display: flex; flex-wrap: wrap; gap: .75rem; }
.buttons button { flex: 1 1 8rem; }
details { border-top: 1px solid var(--line); margin-top: 1rem; padding-top: .75rem; }
summary { cursor: pointer; color: var(--accent); min-height: 1.5rem; }
details[open] summary { margin-bottom: .75rem; }
:focus-visible { outline: .2rem solid var(--accent); outline-offset: .15rem; border-radius: .2rem; }
@media (max-width: 30rem) { dl:not(.arguments) { display: block; } dl:not(.arguments) dd { margin-bottom: .5rem; } }
`;
