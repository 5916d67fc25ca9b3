/** A host and its port as a URL names them (RFC 3986 §3.2): an IPv6 address stands in brackets. Pure. */
export function authorityOf({ host, port }: { readonly host: string; readonly port: number }): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}
