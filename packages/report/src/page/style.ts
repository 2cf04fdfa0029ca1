import { darkTheme, lightTheme } from '../theme/palette.js';

/** Style of the page: one column on phones, panels side by side on desktops, light or dark like the system. */
export const style = `
:root { color-scheme: light dark; ${lightTheme} }
@media screen and (prefers-color-scheme: dark) { :root { ${darkTheme} } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink); font: 16px/1.6 "DejaVu Sans", Verdana, system-ui, sans-serif; }
main { max-width: 72rem; margin: 0 auto; padding: clamp(1.25rem, 4vw, 3.5rem) clamp(1rem, 4vw, 2rem); }
h1 { font-size: clamp(1.45rem, 4.2vw, 2.1rem); line-height: 1.2; letter-spacing: -0.01em; margin: 0.25rem 0 1rem; overflow-wrap: anywhere; }
h2 { font-size: 1.25rem; margin: 3rem 0 0.75rem; }
h3 { font-size: 1rem; margin: 1.5rem 0 0.5rem; }
p { margin: 0 0 1rem; max-width: 46rem; }
a { color: var(--accent); }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
.kicker { color: var(--accent); font-size: 0.85rem; font-weight: 700; letter-spacing: 0.06em; text-transform: uppercase; margin: 0; }
.lead { font-size: 1.05rem; color: var(--muted); overflow-wrap: anywhere; }
.contents { display: flex; flex-wrap: wrap; gap: 0.35rem 1.25rem; padding: 0; margin: 1.5rem 0 0; list-style: none; font-size: 0.9rem; }
.findings { padding: 1.25rem 1.25rem 0.5rem; background: var(--paper); border: 1px solid var(--rule); border-left: 4px solid var(--accent); border-radius: 10px; }
.findings p { margin-bottom: 0.4rem; font-weight: 600; max-width: 56rem; }
.findings ul { margin: 0 0 1rem; padding-left: 1.25rem; color: var(--muted); font-size: 0.9rem; }
.scroll { overflow-x: auto; background: var(--paper); border: 1px solid var(--rule); border-radius: 10px; }
table { border-collapse: collapse; width: 100%; font-size: 0.88rem; font-variant-numeric: tabular-nums; }
th, td { padding: 0.5rem 0.8rem; text-align: right; white-space: nowrap; border-top: 1px solid var(--rule); }
thead th { border-top: 0; color: var(--muted); font-size: 0.78rem; font-weight: 600; white-space: normal; min-width: 5rem; vertical-align: bottom; }
th[scope="row"], .text { text-align: left; }
thead .number { min-width: 0; }
th[scope="row"] { min-width: 15rem; white-space: normal; }
.results th[scope="row"] { position: sticky; left: 0; background: var(--paper); min-width: 11rem; }
.hint { font-size: 0.85rem; color: var(--muted); margin: 0.5rem 0; }
.swatch { display: inline-block; width: 0.75rem; height: 0.75rem; border-radius: 3px; margin-right: 0.5rem; vertical-align: -0.05rem; }
.figures { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 26rem), 1fr)); gap: 1rem; margin-bottom: 0.75rem; }
.figures.narrow { grid-template-columns: repeat(auto-fill, minmax(min(100%, 19rem), 1fr)); }
@media (min-width: 60rem) { .figures.lead-first .panel:first-child { grid-row: span 2; } }
.figures.plans { grid-template-columns: minmax(0, 1fr); gap: 0.35rem; }
.panel { padding: 1rem; background: var(--paper); border: 1px solid var(--rule); border-radius: 10px; }
.panel svg { display: block; width: 100%; max-width: 34rem; height: auto; margin: 0 auto; }
.plans .panel { overflow-x: auto; width: fit-content; max-width: 100%; background: #fff; }
.plans .panel svg { width: auto; min-width: 40rem; max-width: 100%; }
.plans summary { margin: 0; }
figure { margin: 0; }
figcaption { margin: 0.75rem 0; color: var(--muted); font-size: 0.88rem; line-height: 1.5; max-width: 56rem; }
summary { cursor: pointer; color: var(--accent); font-size: 0.9rem; margin: 0.5rem 0; }
dl { display: grid; grid-template-columns: minmax(7rem, max-content) 1fr; gap: 0.35rem 1.25rem; margin: 0; }
dt { color: var(--muted); }
dd { margin: 0; overflow-wrap: anywhere; max-width: 50rem; }
pre { margin: 0; padding: 1rem; font: 0.85rem/1.6 "DejaVu Sans Mono", ui-monospace, monospace; }
.code { margin-bottom: 1rem; }
footer { margin-top: 3rem; color: var(--muted); font-size: 0.85rem; }
@media (max-width: 34rem) { th, td { padding: 0.45rem 0.6rem; font-size: 0.8rem; } th[scope="row"] { min-width: 8rem; } .panel { padding: 0.75rem; } dl { grid-template-columns: 1fr; } dd { margin-bottom: 0.5rem; } .findings { padding: 1rem 1rem 0.25rem; } }
@media print { body { background: #fff; font-size: 11px; } main { max-width: none; padding: 0; } .scroll { overflow: visible; border: 0; } table { font-size: 8px; } th, td { padding: 0.2rem 0.3rem; white-space: normal; } thead th, th[scope="row"] { min-width: 0; } pre { white-space: pre-wrap; } .panel, tr, .findings { break-inside: avoid; } .contents { display: none; } h2 { break-after: avoid; } }
`;
