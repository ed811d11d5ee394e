/** Links that call: `?call=bob`, `?call=tel:+34911234567`, and what a page hands over that was opened for a tel: link. */

/** Whom a page that was opened with `address` is to call. Nobody is called without a press: any page can set such a link. */
export function linkTarget(address: URL): string | undefined {
  const found = address.searchParams.get('call')?.trim().replace(/^web\+/i, '');
  return found && found.length <= 200 ? found : undefined;
}

/** The address without that wish, so that a reload does not bring it back. */
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
