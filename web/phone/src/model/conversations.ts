/** Text messages, kept per peer, of one account. */
import { keep, readKept } from './kept.ts';
import { nameOf, plainUri, type Peer } from './peer.ts';
import { messageOutcome, type Outcome } from './reason.ts';
import type { Agent, Payload } from './library.ts';
import { text } from '../text/index.ts';

export interface TextMessage {
  readonly id: number;
  readonly own: boolean;
  readonly body: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
  state: 'sending' | 'done' | 'failed';
  outcome?: Outcome;
}

export interface Conversation {
  peer: Peer;
  messages: TextMessage[];
  unread: number;
}

const KEPT_MESSAGES = 300;
const KEPT_CONVERSATIONS = 60;
/** The browser gives a page room for a few millions; a list that is too long for it would not be kept at all. */
const KEPT_LETTERS = 1_000_000;

export class Conversations {
  /** Latest first. */
  list: Conversation[] = [];
  /** The one that is opened: its messages count as read while it is on the screen. */
  open: Conversation | undefined;
  /** What the user is writing, by address: for nobody else. */
  readonly drafts = new Map<string, string>();
  /** Whether the user sees `open`. */
  watched = (): boolean => !document.hidden;
  /** Told of each message that comes in. */
  onincoming: ((conversation: Conversation, message: TextMessage) => void) | undefined;

  #account = '';
  #next = 1;
  readonly #changed: () => void;

  constructor(changed: () => void) {
    this.#changed = changed;
  }

  load(account: string): void {
    this.#account = account;
    this.open = undefined;
    this.drafts.clear();
    this.list = readKept<Conversation[]>('conversations', account) ?? [];
    for (const message of this.list.flatMap((each) => each.messages)) {
      // The page was closed before the answer came: nobody knows whether it arrived.
      if (message.state === 'sending') message.state = 'failed';
      this.#next = Math.max(this.#next, message.id + 1);
    }
    this.#changed();
  }

  get unread(): number {
    return this.list.reduce((sum, each) => sum + each.unread, 0);
  }

  /** The conversation with `peer`, begun if there is none. */
  with(peer: Peer): Conversation {
    const uri = plainUri(peer.uri);
    let found = this.list.find((each) => plainUri(each.peer.uri) === uri);
    if (!found) {
      found = { peer: { ...peer, uri }, messages: [], unread: 0 };
      this.list = [found, ...this.list].slice(0, KEPT_CONVERSATIONS);
    } else if (peer.name && peer.name !== found.peer.name) {
      found.peer = { ...found.peer, name: peer.name };
    }
    return found;
  }

  show(conversation: Conversation | undefined): void {
    this.open = conversation;
    if (conversation) conversation.unread = 0;
    this.#keep();
  }

  remove(conversation: Conversation): void {
    this.drafts.delete(conversation.peer.uri);
    this.list = this.list.filter((each) => each !== conversation);
    this.open = undefined;
    this.#keep();
  }

  send(agent: Agent | undefined, conversation: Conversation, body: string): void {
    const message = this.#add(conversation, { own: true, body, state: 'sending' });
    this.#transmit(agent, conversation, message);
  }

  again(agent: Agent | undefined, conversation: Conversation, message: TextMessage): void {
    message.state = 'sending';
    delete message.outcome;
    this.#transmit(agent, conversation, message);
  }

  /** Takes the payload of the agent's `newMessage` event. */
  receive(event: Payload): void {
    if (event.originator !== 'remote') return;
    const from = event.message?.remote_identity ?? event.request?.from;
    const name: unknown = from?.display_name;
    const peer = { uri: plainUri(from?.uri), ...(typeof name === 'string' && name ? { name } : {}) };
    const conversation = this.with(peer);
    const message = this.#add(conversation, { own: false, body: bodyOf(event.request), state: 'done' });
    if (conversation !== this.open || !this.watched()) conversation.unread += 1;
    this.onincoming?.(conversation, message);
    this.#keep();
  }

  #transmit(agent: Agent | undefined, conversation: Conversation, message: TextMessage): void {
    const settle = (state: TextMessage['state'], outcome?: Outcome): void => {
      message.state = state;
      if (outcome) message.outcome = outcome;
      this.#keep();
    };
    const failed = (event: Payload): void => settle('failed', messageOutcome(event ?? {}));
    if (!agent) {
      failed({ cause: 'Connection Error' });
      return;
    }
    try {
      agent.sendMessage(conversation.peer.uri, message.body, {
        contentType: 'text/plain',
        eventHandlers: { succeeded: () => settle('done'), failed },
      });
    } catch {
      failed({ cause: 'Connection Error' });
    }
    this.#keep();
  }

  #add(conversation: Conversation, message: Omit<TextMessage, 'id' | 'at'>): TextMessage {
    const added: TextMessage = { ...message, id: this.#next, at: Date.now() };
    this.#next += 1;
    conversation.messages = [...conversation.messages, added].slice(-KEPT_MESSAGES);
    this.list = [conversation, ...this.list.filter((each) => each !== conversation)];
    return added;
  }

  #keep(): void {
    keep('conversations', this.#account, this.#latest());
    this.#changed();
  }

  /** As much of the conversations as there is room for, the latest messages first. */
  #latest(): Conversation[] {
    let room = KEPT_LETTERS;
    const fits = ({ body }: TextMessage): boolean => {
      if (body.length > room) return false;
      room -= body.length;
      return true;
    };
    return this.list
      .map((each) => ({ ...each, messages: [...each.messages].reverse().filter(fits).reverse() }))
      .filter((each) => each.messages.length > 0);
  }
}

function bodyOf(request: Payload | undefined): string {
  const type = String(request?.getHeader?.('Content-Type') ?? 'text/plain');
  const body: unknown = request?.body;
  if (!/^text\/plain\b/i.test(type.trim())) return text('messageUnreadable', { type: type.split(';')[0]!.trim() });
  return typeof body === 'string' ? body : '';
}

/** The last words of a conversation, for the list. */
export function preview(conversation: Conversation): string {
  return conversation.messages.at(-1)?.body ?? nameOf(conversation.peer);
}
