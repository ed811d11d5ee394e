/** The page's drawings, on a grid of 24 by 24. */

const HANDSET = 'M2.5 12.8C2.5 10.4 6.5 7.8 12 7.8s9.5 2.6 9.5 5v2.4a1.4 1.4 0 0 1-1.7 1.37l-3.3-.75a1.4 1.4 0 0 1-1.1-1.37v-1.8'
  + 'a12.2 12.2 0 0 0-6.8 0v1.8a1.4 1.4 0 0 1-1.1 1.37l-3.3.75a1.4 1.4 0 0 1-1.7-1.37z';

interface Drawing {
  /** Filled shapes. */
  readonly solid?: string;
  /** Stroked lines. */
  readonly line?: string;
  readonly turn?: number;
}

const DRAWINGS = {
  call: { solid: HANDSET, turn: -135 },
  hangUp: { solid: HANDSET },
  microphone: { line: 'M12 3.5a3 3 0 0 1 3 3V12a3 3 0 0 1-6 0V6.5a3 3 0 0 1 3-3zM5.5 11.5V12a6.5 6.5 0 0 0 13 0v-.5M12 18.5V21' },
  microphoneOff: { line: 'M9 9v3a3 3 0 0 0 4.7 2.5M15 11V6.5a3 3 0 0 0-5.8-1M5.5 11.5V12a6.5 6.5 0 0 0 10 5.5M18.5 11.5V12c0 .9-.2 1.8-.5 2.5M12 18.5V21M4 3l16 18' },
  pause: { solid: 'M7 5h3.2v14H7zM13.8 5H17v14h-3.2z' },
  resume: { solid: 'M8 5.2v13.6a.6.6 0 0 0 .9.5l10.3-6.8a.6.6 0 0 0 0-1L8.9 4.7a.6.6 0 0 0-.9.5z' },
  keypad: { solid: dots() },
  erase: { line: 'M8.5 5.5H20a1.5 1.5 0 0 1 1.5 1.5v10a1.5 1.5 0 0 1-1.5 1.5H8.5L2.5 12zM11.5 9.5l5 5M16.5 9.5l-5 5' },
  message: { line: 'M4.5 4.5h15A1.5 1.5 0 0 1 21 6v9.5a1.5 1.5 0 0 1-1.5 1.5H11l-5 3.8V17H4.5A1.5 1.5 0 0 1 3 15.5V6a1.5 1.5 0 0 1 1.5-1.5z' },
  clock: { line: 'M12 3.5a8.5 8.5 0 1 1 0 17 8.5 8.5 0 0 1 0-17zM12 7.5V12l3 2.2' },
  sliders: { line: 'M4 7h9M18.5 7H20M4 17h1.5M11 17h9M15.75 4.5a2.5 2.5 0 1 1 0 5 2.5 2.5 0 0 1 0-5zM8.25 14.5a2.5 2.5 0 1 1 0 5 2.5 2.5 0 0 1 0-5z' },
  video: { line: 'M4.5 6.5h9A1.5 1.5 0 0 1 15 8v8a1.5 1.5 0 0 1-1.5 1.5h-9A1.5 1.5 0 0 1 3 16V8a1.5 1.5 0 0 1 1.5-1.5zM15 10.5l6-3v9l-6-3' },
  send: { line: 'M4 4.5l17 7.5-17 7.5 2.8-7.5zM6.8 12H13' },
  back: { line: 'M14.5 5.5L8 12l6.5 6.5' },
  close: { line: 'M6 6l12 12M18 6L6 18' },
  sun: { line: 'M12 8a4 4 0 1 1 0 8 4 4 0 0 1 0-8zM12 2.5V4M12 20v1.5M2.5 12H4M20 12h1.5M5.3 5.3l1 1M17.7 17.7l1 1M5.3 18.7l1-1M17.7 6.3l1-1' },
  moon: { line: 'M20 14.2A8.5 8.5 0 0 1 9.8 4a8.5 8.5 0 1 0 10.2 10.2z' },
  speaker: { line: 'M4 9.5v5h3.5l5 4v-13l-5 4zM16 9a4.2 4.2 0 0 1 0 6M18.7 6.5a8 8 0 0 1 0 11' },
  plus: { line: 'M12 5v14M5 12h14' },
  transfer: { line: 'M4 8h14M14.5 4.5L18 8l-3.5 3.5M20 16H6M9.5 12.5L6 16l3.5 3.5' },
  outgoing: { line: 'M7 17L17 7M9 7h8v8' },
  incoming: { line: 'M17 7L7 17M15 17H7V9' },
  missed: { line: 'M20 5l-7.5 7.5L4 4M4 9.5V4h5.5M6 19.5c3.6-2.6 8.4-2.6 12 0' },
  alert: { line: 'M12 4l9 16H3zM12 10v4.5M12 17.3v.2' },
  signOut: { line: 'M14 4.5H6A1.5 1.5 0 0 0 4.5 6v12A1.5 1.5 0 0 0 6 19.5h8M10 12h10.5M17 8.5l3.5 3.5-3.5 3.5' },
  eye: { line: 'M2.5 12C4.5 8 8 6 12 6s7.5 2 9.5 6c-2 4-5.5 6-9.5 6s-7.5-2-9.5-6zM12 9.2a2.8 2.8 0 1 1 0 5.6 2.8 2.8 0 0 1 0-5.6z' },
  trash: { line: 'M4.5 6.5h15M9.5 6.5v-2h5v2M6.5 6.5l1 13h9l1-13M10 10.5v5M14 10.5v5' },
  check: { line: 'M5 12.5l4.5 4.5L19 7' },
  more: { solid: [5.5, 12, 18.5].map((x) => `M${x - 1.8} 12a1.8 1.8 0 1 0 3.6 0a1.8 1.8 0 1 0-3.6 0z`).join('') },
  addCall: { solid: HANDSET, turn: -135, line: 'M18.5 1.8v6M15.5 4.8h6' },
  swap: { line: 'M7 4v15M3.5 15.5L7 19l3.5-3.5M17 20V5M13.5 8.5L17 5l3.5 3.5' },
  people: { line: 'M9 5a3 3 0 1 1 0 6 3 3 0 0 1 0-6zM3 19c0-3.2 2.4-5 6-5s6 1.8 6 5M16 5.4a3 3 0 0 1 0 5.4M17.5 14.3c2.2.6 3.5 2.2 3.5 4.7' },
  person: { line: 'M12 4.5a3.7 3.7 0 1 1 0 7.4 3.7 3.7 0 0 1 0-7.4zM4.5 20c0-3.7 2.9-5.6 7.5-5.6s7.5 1.9 7.5 5.6' },
  screen: { line: 'M4.5 5h15A1.5 1.5 0 0 1 21 6.5v9a1.5 1.5 0 0 1-1.5 1.5h-15A1.5 1.5 0 0 1 3 15.5v-9A1.5 1.5 0 0 1 4.5 5zM9 20.5h6M12 14V8.5M9.5 10.8L12 8.3l2.5 2.5' },
  pulse: { line: 'M2.5 12.5h4l2.5-7 5 13 2.5-6h5' },
  star: { line: 'M12 3.8l2.5 5.2 5.7.8-4.1 4 1 5.7-5.1-2.7-5.1 2.7 1-5.7-4.1-4 5.7-.8z' },
  pencil: { line: 'M4 20l1-4.5L16 4.5l3.5 3.5L8.5 19zM13.5 7l3.5 3.5' },
  chevron: { line: 'M6 9.5l6 6 6-6' },
} satisfies Record<string, Drawing>;

export type IconName = keyof typeof DRAWINGS;

const SVG = 'http://www.w3.org/2000/svg';

/** A drawing that screen readers pass over: the control around it carries the words. */
export function icon(name: IconName): SVGSVGElement {
  const drawing: Drawing = DRAWINGS[name];
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', '0 0 24 24');
  svg.setAttribute('aria-hidden', 'true');
  svg.setAttribute('class', 'icon');
  if (drawing.solid) svg.append(shape(drawing.solid, 'solid', drawing.turn));
  if (drawing.line) svg.append(shape(drawing.line, 'line', undefined));
  return svg;
}

function shape(path: string, kind: string, turn: number | undefined): SVGPathElement {
  const element = document.createElementNS(SVG, 'path');
  element.setAttribute('d', path);
  element.setAttribute('class', kind);
  if (turn) element.setAttribute('transform', `rotate(${turn} 12 12)`);
  return element;
}

function dots(): string {
  const places = [6, 12, 18];
  return places.flatMap((x) => places.map((y) => `M${x - 1.6} ${y}a1.6 1.6 0 1 0 3.2 0a1.6 1.6 0 1 0-3.2 0z`)).join('');
}
