/** Links that call: `?call=bob`, `?call=tel:+34911234567`, and what a page hands over that was opened for a tel: link. */
import { unturned } from '../text/order.ts';

/** Whom a page that was opened with `address` is to call. Nobody is called without a press: any page can set such a link. */
export function linkTarget(address: URL): string | undefined {
  // Nobody begins with a blank: a number's plus was written as it is.
  const found = unturned(address.searchParams.get('call') ?? '').replace(/^(tel:|sips?:)? (?=\d)/i, '$1+').trim().replace(/^web\+/i, '');
  return found && found.length <= 200 ? found : undefined;
}

/** The address without that wish, so that a reload does not bring back what was done. */
export function withoutLink(address: URL): string {
  const bare = new URL(address);
  bare.searchParams.delete('call');
  return bare.pathname + bare.search;
}

/** A link that brings somebody to this page and proposes to call `user`. */
export function callLink(page: URL, user: string): string {
  const link = new URL(page);
  link.hash = '';
  link.search = '';
  link.searchParams.set('call', user);
  return link.href;
}
