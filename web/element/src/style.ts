/** The looks, inside the shadow root. Everything that a page may want to change is a variable or a part. */
export const STYLE = `
:host {
  --accent: var(--sipweb-accent, #12813a);
  --on-accent: var(--sipweb-on-accent, #fff);
  --danger: var(--sipweb-danger, #c9252b);
  --surface: var(--sipweb-surface, #fff);
  --surface-2: var(--sipweb-surface-2, #eef1f6);
  --ink: var(--sipweb-ink, #131822);
  --ink-2: var(--sipweb-ink-2, #556070);
  --line: var(--sipweb-line, #dfe4ec);
  --radius: var(--sipweb-radius, 18px);
  --video-width: var(--sipweb-video-width, 28rem);
  display: inline-block;
  position: relative;
  color-scheme: light;
  font: 400 1rem/1.4 var(--sipweb-font, system-ui, sans-serif);
}
:host([hidden]), [hidden] { display: none !important; }
:host([data-dark]) {
  --accent: var(--sipweb-accent, #1f9d4d);
  --danger: var(--sipweb-danger, #d93b40);
  --surface: var(--sipweb-surface, #181d27);
  --surface-2: var(--sipweb-surface-2, #262e3b);
  --ink: var(--sipweb-ink, #eef2f8);
  --ink-2: var(--sipweb-ink-2, #a5b0c0);
  --line: var(--sipweb-line, #2d3746);
  --on-accent: var(--sipweb-on-accent, #06130a);
  color-scheme: dark;
}
* { box-sizing: border-box; }
button, input { color: inherit; font: inherit; }
button { display: inline-flex; align-items: center; justify-content: center; gap: .5rem; min-height: 44px; border: 0; border-radius: 99px; cursor: pointer; }
button:disabled { cursor: default; opacity: .5; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
.icon { display: block; width: 22px; height: 22px; }
.icon .solid { fill: currentcolor; }
.icon .line { fill: none; stroke: currentcolor; stroke-linecap: round; stroke-linejoin: round; stroke-width: 1.8; }
.launch, .go { padding: .4rem 1.2rem; background: var(--accent); color: var(--on-accent); font-weight: 650; }
.launch { box-shadow: 0 6px 20px -8px rgb(0 0 0 / 45%); }
.panel { display: grid; grid-template-columns: minmax(0, 1fr); gap: .7rem; width: min(20rem, 86vw); padding: 1rem; border: 1px solid var(--line); border-radius: var(--radius); background: var(--surface); color: var(--ink); box-shadow: 0 16px 44px -14px rgb(10 20 40 / 45%); }
:host([target]) .panel { position: absolute; max-height: calc(100dvh - 5rem); overflow-y: auto; z-index: 2147483000; right: 0; bottom: calc(100% + .6rem); }
:host([target]) .panel[data-below] { top: calc(100% + .6rem); bottom: auto; }
:host([target]) .panel[data-right] { right: auto; left: 0; }
.panel[data-picture] { width: min(var(--video-width), 92vw); }
.pictures { position: relative; display: flex; justify-content: center; overflow: hidden; border-radius: calc(var(--radius) * .7); background: var(--surface-2); }
.pictures[data-remote] { background: #000; }
.remote { display: block; width: 100%; max-height: min(60vh, 24rem); aspect-ratio: 4 / 3; object-fit: contain; }
.panel[data-keys] .remote { max-height: 14vh; }
.own { width: 45%; aspect-ratio: 4 / 3; object-fit: cover; transform: scaleX(-1); }
.pictures[data-remote] .own { position: absolute; right: .5rem; bottom: .5rem; width: 26%; border: 1px solid rgb(255 255 255 / 60%); border-radius: calc(var(--radius) * .4); }
.head { display: flex; align-items: center; gap: .5rem; }
.name { flex: 1; min-width: 0; margin: 0; overflow: hidden; font-size: 1.06rem; font-weight: 650; text-overflow: ellipsis; white-space: nowrap; }
.timer { color: var(--ink-2); font-variant-numeric: tabular-nums; }
.state { display: -webkit-box; margin: 0; overflow: hidden; color: var(--ink-2); overflow-wrap: anywhere; -webkit-box-orient: vertical; -webkit-line-clamp: 6; }
.close { min-width: 44px; background: none; }
.controls { display: flex; flex-wrap: wrap; gap: .5rem; justify-content: center; }
.controls button { flex: 1 1 44px; padding: 0 .7rem; background: var(--surface-2); font-size: .9rem; font-weight: 600; }
.controls button[aria-pressed='true'], .controls button[aria-expanded='true'] { background: var(--ink); color: var(--surface); }
.controls .hang-up, .controls .decline { background: var(--danger); color: #fff; }
.controls .answer, .controls .answer-video, .controls .again { background: var(--accent); color: var(--on-accent); }
.keys { display: grid; grid-template-columns: repeat(3, 1fr); gap: .4rem; }
.keys button { background: var(--surface-2); font-size: 1.2rem; font-weight: 550; }
.dial { display: flex; gap: .5rem; }
.dial input { flex: 1; min-width: 0; min-height: 44px; padding: 0 .9rem; border: 1.5px solid var(--line); border-radius: 99px; background: var(--surface-2); }
`;
