"""How the page looks: on a phone, on a desk, by day and by night, on paper.

Knows class names. Nothing is loaded from anywhere: fonts are those of the machine.
"""

from typing import Final

STYLE: Final = """
:root {
  color-scheme: light dark;
  --paper: #f4f5f7; --card: #ffffff; --ink: #1a1f26; --soft: #59636f;
  --line: #d6dae0; --passed: #1f5fa8; --stopped: #b3261e; --attack: #8a5300;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #12161b; --card: #1c2229; --ink: #e8ebef; --soft: #a5afbb;
    --line: #38414c; --passed: #7db4f0; --stopped: #ff8f85; --attack: #f0b35a;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: 1rem; max-width: 72rem; background: var(--paper);
  color: var(--ink); font: 1rem/1.5 system-ui, sans-serif;
  -webkit-text-size-adjust: 100%;
}
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0; }
h2 { font-size: 1.2rem; margin: 2rem 0 .25rem; }
h3 { font-size: .95rem; margin: 0 0 .4rem; }
p { margin: .25rem 0 .75rem; max-width: 46rem; overflow-wrap: anywhere;
  text-wrap: pretty; }
header p, figcaption, .cards dt { color: var(--soft); }
.cards {
  display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr));
  gap: .75rem; margin: 1rem 0 0;
}
.cards div {
  background: var(--card); border: 1px solid var(--line);
  border-left: .25rem solid var(--line); border-radius: .4rem; padding: .6rem .75rem;
  display: flex; flex-direction: column; justify-content: space-between;
}
.cards dt { font-size: .8rem; line-height: 1.3; }
.cards dd {
  margin: .2rem 0 0; font-size: 1.05rem; line-height: 1.3; font-weight: 600;
  overflow-wrap: anywhere;
}
.cards .passed { border-left-color: var(--passed); }
.cards .stopped { border-left-color: var(--stopped); }
.cards .attack { border-left-color: var(--attack); }
.figure {
  background: var(--card); border: 1px solid var(--line); border-radius: .4rem;
  padding: .75rem; margin: 0 0 1rem; display: grid; gap: .75rem 1.5rem;
  grid-template-columns: minmax(0, 1fr);
}
.figure > h3 { grid-column: 1 / -1; margin: 0; }
figure { margin: 0 0 .75rem; max-width: 34rem; }
figcaption { font-size: .85rem; margin-bottom: .3rem; }
svg { display: block; width: 100%; height: auto; }
svg text { font-size: 11px; fill: var(--ink); }
svg .end { text-anchor: end; }
svg .middle { text-anchor: middle; }
svg .grid { stroke: var(--line); stroke-width: 1; fill: none; }
.passed { --tone: var(--passed); }
.stopped { --tone: var(--stopped); }
.attack { --tone: var(--attack); }
svg .mark { fill: var(--tone); }
svg .q0 { fill: var(--line); fill-opacity: .45; }
svg .q1 { fill: var(--tone); fill-opacity: .2; }
svg .q2 { fill: var(--tone); fill-opacity: .4; }
svg .q3 { fill: var(--tone); fill-opacity: .6; }
svg .q4 { fill: var(--tone); fill-opacity: .8; }
svg .q5 { fill: var(--tone); }
.scroll { overflow: auto; max-height: 48rem; }
.scroll:focus-visible { outline: 2px solid var(--passed); outline-offset: 2px; }
table { border-collapse: collapse; font-size: .9rem; width: 100%; }
th, td {
  text-align: left; vertical-align: top; padding: .2rem .6rem .2rem 0;
  border-bottom: 1px solid var(--line);
}
thead th {
  position: sticky; top: 0; background: var(--card); color: var(--soft);
  font-weight: 600; white-space: nowrap;
}
tbody th { font-weight: 400; overflow-wrap: anywhere; }
tbody th:nth-last-child(-n+5) { min-width: 10.5ch; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.wide td, .wide th { min-width: 6.3rem; }
.wide .number { min-width: 0; }
.wide td:nth-child(4) { min-width: 15rem; }
@media (max-width: 30rem) {
  .cards div { padding: .5rem .6rem; }
  .cards dd { font-size: 1rem; }
  .figure { padding: .6rem; }
  table { font-size: .78rem; }
  thead th { font-size: .7rem; }
  th, td { padding-right: .35rem; }
  tbody th:nth-last-child(-n+5) { min-width: 9.6ch; }
  th:last-child, td:last-child { padding-right: 0; }
}
@media (min-width: 56rem) {
  body { padding: 2rem; }
  .beside { grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); }
}
@media print {
  :root {
    color-scheme: light;
    --paper: #ffffff; --card: #ffffff; --ink: #000000; --soft: #333333;
    --line: #bbbbbb; --passed: #1f5fa8; --stopped: #b3261e; --attack: #8a5300;
  }
  body { padding: 0; max-width: none; font-size: .8rem; }
  .scroll { overflow: visible; max-height: none; }
  thead th { position: static; }
  .wide { font-size: .75rem; }
  .wide td, .wide th, .wide td:nth-child(4) { min-width: 0; }
  tr, figure, .cards div { break-inside: avoid; }
  h2, h3 { break-after: avoid; }
  svg { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
"""
