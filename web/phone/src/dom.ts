/** Building elements. Everything from the network passes through text nodes and attributes here, never through markup. */

export type Child = Node | string | undefined | null | false;

/** Attributes; `on` holds listeners, `false` and `undefined` leave the attribute out, `true` writes it empty. */
export interface Attributes {
  readonly [name: string]: string | number | boolean | undefined | Listeners;
  readonly on?: Listeners;
}

type Listeners = Readonly<Record<string, (event: never) => void>>;

export function h<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Attributes = {},
  ...children: Child[]
): HTMLElementTagNameMap[Tag] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'object') listen(element, value);
    else setAttribute(element, name, value);
  }
  element.append(...children.filter(isNode));
  return element;
}

export function setAttribute(element: Element, name: string, value: string | number | boolean | undefined): void {
  if (value === undefined || value === false) element.removeAttribute(name);
  else element.setAttribute(name, value === true ? '' : String(value));
}

/** Writes text only when it differs: a live region speaks, and a selection is lost, at every write. */
export function setText(element: Element, value: string): void {
  if (element.textContent !== value) element.textContent = value;
}

export function show(element: HTMLElement, shown: boolean): void {
  if (element.hidden === shown) element.hidden = !shown;
}

export function fill(element: Element, ...children: Child[]): void {
  element.replaceChildren(...children.filter(isNode));
}

/** Makes `children` those of `element`, and leaves alone what stays: it keeps the focus, and a live region does not say it again. */
export function arrange(element: Element, children: readonly Element[]): void {
  for (const old of [...element.children]) if (!children.includes(old)) old.remove();
  children.forEach((child, at) => {
    const there = element.children[at];
    if (there !== child) element.insertBefore(child, there ?? null);
  });
}

/** Writes what somebody has typed into the fields of `from` into those of the same name in `into`. */
export function keepTyped(from: Element, into: Element): void {
  for (const old of from.querySelectorAll<HTMLInputElement | HTMLTextAreaElement>('input[data-testid], textarea[data-testid]')) {
    const field = into.querySelector<HTMLInputElement | HTMLTextAreaElement>(`[data-testid="${old.dataset.testid}"]`);
    if (!field || field.value === old.value || old.type === 'checkbox') continue;
    field.value = old.value;
    field.dispatchEvent(new Event('input'));
  }
}

/** Remembers what was built for a key as long as it is in use: `of` for each thing that is shown, then `sweep`. */
export class Built<Thing> {
  #old = new Map<string, readonly [unknown, Thing]>();
  #used = new Map<string, readonly [unknown, Thing]>();

  /** What was built for `key`, unless it was built over something else than `subject`. */
  of(key: string, subject: unknown, build: () => Thing): Thing {
    const known = this.#old.get(key);
    const thing = known && known[0] === subject ? known[1] : build();
    this.#used.set(key, [subject, thing]);
    return thing;
  }

  sweep(): void {
    this.#old = this.#used;
    this.#used = new Map();
  }
}

function listen(element: Element, listeners: Listeners): void {
  for (const [event, listener] of Object.entries(listeners)) {
    element.addEventListener(event, listener as (event: Event) => void);
  }
}

function isNode(child: Child): child is Node | string {
  return child !== undefined && child !== null && child !== false;
}
