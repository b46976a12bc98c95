/** How the page looks: by day and by night, on a desk and in a hand. Its hash stands in the policy that lets it apply. */
export const STYLE = `
:root {
  color-scheme: light dark;
  --page: #f6f4f1; --card: #fff; --ink: #1f1b17; --soft: #6c645c; --line: #e5e0da;
  --good: #18794e; --good-bg: #e6f4ec; --warn: #935f00; --warn-bg: #fdf1d8; --bad: #c02020; --bad-bg: #fdeaea;
  --calm: #45607a; --calm-bg: #e9eff5; --ember: #e8590c; --f0: #2f9e6b; --f1: #8ccfae; --f2: #cfd8d2; --gone: #e03131;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #141210; --card: #1e1b18; --ink: #ece7e1; --soft: #a09689; --line: #35302b;
    --good: #5fd39a; --good-bg: #14291f; --warn: #f0b74d; --warn-bg: #2e2410; --bad: #ff8080; --bad-bg: #351717;
    --calm: #9dbcd8; --calm-bg: #18232d; --ember: #ff7a33; --f0: #37b57c; --f1: #256b4c; --f2: #39423d; --gone: #f25555;
  }
}
* { box-sizing: border-box; margin: 0; }
body {
  background: var(--page); color: var(--ink); font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
  font-variant-numeric: tabular-nums; max-width: 1120px; margin: 0 auto; padding: 20px 20px 40px; overflow-wrap: anywhere;
}
h1 { font-size: 22px; letter-spacing: -.02em; display: flex; align-items: center; gap: 8px; }
h2 { font-size: 16px; letter-spacing: -.01em; margin-bottom: 12px; }
h3 { font-size: 13px; }
small, .soft { color: var(--soft); font-size: 13px; font-weight: 400; }
code { font: 13px/1.4 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
a { color: inherit; }
ul, ol { list-style: none; padding: 0; }
header { display: flex; flex-wrap: wrap; align-items: center; gap: 4px 20px; margin-bottom: 18px; }
.servers { color: var(--soft); font-size: 13px; display: flex; flex-wrap: wrap; gap: 2px 14px; flex: 1; }
.servers b { font-weight: 600; color: var(--ink); }
.live { font-size: 13px; color: var(--soft); display: flex; align-items: center; gap: 6px; }
.live time { font-size: inherit; }
.live[data-state]::before { content: ""; width: 8px; height: 8px; border-radius: 50%; background: var(--f0); }
.live[data-state=off] { color: var(--bad); }
.live[data-state=off]::before { background: var(--gone); }
main { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 16px; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 18px 20px; }
#state { grid-column: 1 / -1; background: none; border: 0; padding: 0; }
#losses, #symbols, #log { grid-column: 1 / -1; }
#concerns { grid-column: 1 / -1; }
.hero { border-radius: 12px; padding: 22px 24px; border: 1px solid transparent; border-left: 6px solid; }
.hero h2 { font-size: 28px; line-height: 1.2; letter-spacing: -.025em; margin-bottom: 6px; }
.hero p { color: var(--ink); }
.hero.good { background: var(--good-bg); border-color: var(--good); } .hero.good h2 { color: var(--good); }
.hero.warn { background: var(--warn-bg); border-color: var(--warn); } .hero.warn h2 { color: var(--warn); }
.hero.bad { background: var(--bad-bg); border-color: var(--bad); } .hero.bad h2 { color: var(--bad); }
.hero.calm { background: var(--calm-bg); border-color: var(--calm); } .hero.calm h2 { color: var(--calm); }
.hero { border-top-color: transparent; border-right-color: transparent; border-bottom-color: transparent; }
.progress { display: flex; align-items: center; gap: 12px; margin-top: 12px; font-weight: 600; }
progress { appearance: none; flex: 1; max-width: 480px; height: 10px; border: 0; border-radius: 5px; background: var(--line); overflow: hidden; }
progress::-webkit-progress-bar { background: var(--line); }
progress::-webkit-progress-value { background: var(--ember); border-radius: 5px; }
progress::-moz-progress-bar { background: var(--ember); }
.figures { display: grid; grid-template-columns: repeat(4, minmax(0, 1fr)); gap: 16px; margin-top: 16px; }
.figure { background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 14px 18px; }
.figure dt { color: var(--soft); font-size: 13px; }
.figure dd > b { display: block; font-size: 24px; line-height: 1.3; letter-spacing: -.02em; font-weight: 650; }
.figure b i { font-style: normal; font-weight: 400; font-size: 15px; color: var(--soft); letter-spacing: 0; }
.figure.bad dd > b { color: var(--bad); } .figure.warn dd > b { color: var(--warn); }
.mend { color: var(--soft); font-size: 14px; }
.mend::before { content: "→ "; color: var(--ember); font-weight: 700; }
.nothing { color: var(--soft); }
.concerns li { padding: 10px 0 10px 14px; border-left: 3px solid var(--line); }
.concerns li + li { margin-top: 8px; }
.concerns code { font-weight: 600; margin-right: 4px; }
.concerns .bad { border-color: var(--bad); } .concerns .bad code { color: var(--bad); }
.concerns .warn { border-color: var(--warn); } .concerns .warn code { color: var(--warn); }
summary { cursor: pointer; }
.losses > li + li { border-top: 1px solid var(--line); }
.losses summary { display: grid; grid-template-columns: 112px 1fr auto 170px; gap: 4px 14px; align-items: baseline; padding: 10px 0; list-style: none; }
.losses summary::-webkit-details-marker { display: none; }
.losses .when { color: var(--soft); font-size: 14px; }
.losses .took { text-align: right; }
.losses .took::after { content: " ›"; color: var(--soft); display: inline-block; width: 14px; }
.losses [open] > summary .took::after { content: " ⌄"; }
.losses .open .took { color: var(--bad); }
.cause { justify-self: start; font: 600 12px/1 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; padding: 5px 8px; border-radius: 6px; background: var(--bad-bg); color: var(--bad); }
.over .cause { background: var(--calm-bg); color: var(--calm); }
.losses details > :not(summary) { margin-bottom: 12px; }
.bar { display: block; width: 100%; height: 6px; border-radius: 3px; }
.losses details > .bar { margin-bottom: 6px; }
.bar .blind { fill: var(--gone); } .bar .heal { fill: var(--f0); }
.course { display: flex; justify-content: space-between; gap: 12px; font-size: 13px; color: var(--soft); }
.course b { color: var(--ink); }
.facts { display: grid; grid-template-columns: max-content 1fr; gap: 4px 14px; font-size: 14px; }
.facts dt { color: var(--soft); }
.facts .bad { color: var(--bad); } .facts .warn { color: var(--warn); }
.classes { font-size: 14px; border-top: 1px dashed var(--line); padding-top: 8px; }
.classes small { display: block; }
.classes li { padding: 3px 0; }
.classes .backup code, .classes .unknown code { color: var(--bad); }
.chart { display: block; width: 100%; height: auto; margin-bottom: 12px; }
.chart .grid { stroke: var(--line); }
.chart .axis { fill: var(--soft); font-size: 10px; } .chart .end { text-anchor: end; }
.chart .reach { stroke: var(--ember); stroke-opacity: .4; stroke-width: 4; stroke-linecap: round; }
.chart .median { fill: var(--ember); }
.chart .loss { stroke: var(--gone); stroke-dasharray: 3 3; }
.legend { font-size: 13px; color: var(--soft); margin-bottom: 12px; }
.dot { display: inline-block; width: 10px; height: 10px; border-radius: 3px; margin: 0 5px 0 10px; vertical-align: -1px; }
.dot:first-child { margin-left: 0; }
.f0 { --tone: var(--f0); } .f1 { --tone: var(--f1); } .f2 { --tone: var(--f2); } .lost { --tone: var(--gone); }
.dot, .groups i { background: var(--tone); }
.symbols { display: grid; grid-template-columns: repeat(auto-fill, minmax(118px, 1fr)); gap: 6px; }
.symbols li { border: 1px solid var(--line); border-left: 4px solid var(--tone); border-radius: 6px; padding: 4px 8px; line-height: 1.3; }
.symbols bdi { display: block; font-size: 13px; font-weight: 600; white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
.symbols small { font-size: 12px; white-space: nowrap; }
.symbols .lost { background: var(--bad-bg); border-color: var(--gone); } .symbols .lost small { color: var(--bad); }
.groups { display: grid; gap: 8px; }
.group { display: grid; grid-template-columns: 64px 1fr; gap: 8px; align-items: start; }
.group h3 { line-height: 14px; }
.group p { display: flex; flex-wrap: wrap; gap: 2px; }
.groups i { width: 12px; height: 12px; border-radius: 3px; }
.lost-names { font-size: 13px; color: var(--bad); margin-bottom: 12px; }
.log li { display: grid; grid-template-columns: 84px 140px 1fr; gap: 10px; padding: 3px 0; font-size: 14px; }
.log time { color: var(--soft); font-size: 13px; }
.log .error code { color: var(--bad); } .log .warn code { color: var(--warn); }
details > summary { color: inherit; } #older > summary, #log-more > summary { color: var(--soft); font-size: 14px; padding-top: 8px; }
footer { color: var(--soft); font-size: 13px; margin-top: 20px; }
@media (max-width: 720px) {
  body { padding: 14px 12px 28px; }
  .servers { order: 3; flex-basis: 100%; } .live { margin-left: auto; }
  main { grid-template-columns: minmax(0, 1fr); gap: 12px; }
  .symbols { grid-template-columns: repeat(auto-fill, minmax(98px, 1fr)); gap: 5px; } .symbols li { padding: 3px 6px; }
  .symbols bdi { font-size: 12px; }
  .figures { grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 10px; margin-top: 12px; }
  .figure { padding: 12px 14px; } .figure dd > b { font-size: 20px; }
  .hero { padding: 16px 16px; } .hero h2 { font-size: 22px; }
  section { padding: 14px; }
  .losses summary { grid-template-columns: auto 1fr; } .losses .what { grid-column: 1 / -1; grid-row: 2; } .losses .when { text-align: right; }
  .losses .took { grid-column: 1 / -1; text-align: left; }
  .log li { grid-template-columns: 1fr auto; gap: 0 8px; } .log time { order: 2; } .log span { grid-column: 1 / -1; order: 3; }
  .log li + li { border-top: 1px solid var(--line); padding-top: 6px; margin-top: 4px; }
  .group { grid-template-columns: 1fr; gap: 4px; }
}
@media (prefers-reduced-motion: no-preference) {
  progress::-webkit-progress-value { transition: width .2s; }
}
`
