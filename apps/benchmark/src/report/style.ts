import { darkTheme, lightTheme } from '@localgrad/report';

/** The page's style: one column on a phone, two beside each other on a desk, light or dark as the reader's system. */
export const style = `
:root { color-scheme: light dark; ${lightTheme} }
@media (prefers-color-scheme: dark) { :root { ${darkTheme} } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink); font: 16px/1.6 "DejaVu Sans", Verdana, system-ui, sans-serif; }
main { max-width: 62rem; margin: 0 auto; padding: clamp(1.25rem, 4vw, 3.5rem) clamp(1rem, 4vw, 2rem); }
h1 { font-size: clamp(1.45rem, 4.2vw, 2.1rem); line-height: 1.2; letter-spacing: -0.01em; margin: 0.25rem 0 1rem; }
h2 { font-size: 1.15rem; margin: 3rem 0 0.75rem; }
p { margin: 0 0 1rem; max-width: 46rem; }
a { color: var(--accent); }
.kicker { color: var(--accent); font-size: 0.85rem; font-weight: 700; letter-spacing: 0.06em; text-transform: uppercase; margin: 0; }
.lead { font-size: 1.05rem; color: var(--muted); }
.scroll { overflow-x: auto; background: var(--paper); border: 1px solid var(--rule); border-radius: 10px; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: 0.7rem 1rem; text-align: right; white-space: nowrap; border-top: 1px solid var(--rule); }
thead th { border-top: 0; color: var(--muted); font-size: 0.82rem; font-weight: 600; }
th:first-child { text-align: left; }
td small { display: block; color: var(--muted); font-size: 0.8rem; }
.swatch { display: inline-block; width: 0.75rem; height: 0.75rem; border-radius: 3px; margin-right: 0.6rem; vertical-align: -0.05rem; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 20rem), 1fr)); gap: 1rem; }
figure { margin: 0; padding: 1.25rem; background: var(--paper); border: 1px solid var(--rule); border-radius: 10px; }
figure svg { display: block; width: 100%; max-width: 34rem; height: auto; }
figcaption { margin-top: 0.75rem; color: var(--muted); font-size: 0.88rem; line-height: 1.5; }
dl { display: grid; grid-template-columns: minmax(7rem, max-content) 1fr; gap: 0.35rem 1.25rem; margin: 0; }
dt { color: var(--muted); }
dd { margin: 0; overflow-wrap: anywhere; }
pre { margin: 0 0 1rem; padding: 1rem; background: var(--paper); border: 1px solid var(--rule); border-radius: 10px; font: 0.85rem/1.6 "DejaVu Sans Mono", ui-monospace, monospace; overflow-x: auto; }
footer { margin-top: 3rem; color: var(--muted); font-size: 0.85rem; }
@media (max-width: 34rem) { .desk { display: none; } th, td { padding: 0.55rem 0.35rem; font-size: 0.8rem; } th:first-child { padding-left: 0.7rem; } td:last-child, th:last-child { padding-right: 0.7rem; } td small { font-size: 0.72rem; } .swatch { margin-right: 0.4rem; } thead th { white-space: normal; vertical-align: bottom; } figure { padding: 0.9rem; } dl { grid-template-columns: 1fr; } dd { margin-bottom: 0.5rem; } }
@media print { body { background: #fff; } }
`;
