/** The smallest valid SDP (RFC 4566, RFC 3264) for a phone that speaks no RTP: one PCMU stream at the discard port of this address. */
const DISCARD_PORT = 9;

export function phoneSdp(host: string, version: number): string {
  const family = host.includes(":") ? "IP6" : "IP4";
  const lines = [
    "v=0",
    `o=phone 1 ${version} IN ${family} ${host}`,
    "s=-",
    `c=IN ${family} ${host}`,
    "t=0 0",
    `m=audio ${DISCARD_PORT} RTP/AVP 0`,
    "a=rtpmap:0 PCMU/8000",
    "a=sendrecv",
  ];
  return `${lines.join("\r\n")}\r\n`;
}
