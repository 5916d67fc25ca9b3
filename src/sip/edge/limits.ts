/**
 * Every bound of the SIP edge in one place: nothing a peer or an app sends can make the edge keep state without limit. Each says why it is
 * this large. Durations that RFC 3261 defines are in timers.ts, because tests shrink those.
 */

/** Largest SIP message on any transport: what a UDP datagram can carry, and RFC 3261 §18.1.1 asks for no more. */
export const MAX_MESSAGE_BYTES = 65_535;
/** RFC 4475 §3.1.1.7 (longreq) has 43; a call through many proxies stays under 100. */
export const MAX_HEADERS = 256;
/** One header line after unfolding. A STIR Identity header with a full PASSporT is the longest real one, 2 to 4 KB. */
export const MAX_HEADER_BYTES = 8_192;
/** Longest request URI or status line. */
export const MAX_START_LINE_BYTES = 2_048;
/** Call-ID, tag, branch: identifiers become map keys, so they stay short. RFC 4475's longest tag is 210 bytes. */
export const MAX_CALL_ID_BYTES = 256;
export const MAX_TAG_BYTES = 256;
export const MAX_BRANCH_BYTES = 256;
/** More hops than this is a loop (Max-Forwards starts at 70, RFC 3261 §8.1.1.6). */
export const MAX_VIAS = 70;
/** Targets of one proxied call, redirects included, and phones that ring for it: a hunt group has tens. */
export const MAX_FORKS = 32;
/** Proxies that record-route a call; each hop costs a line in every later request of the dialog. */
export const MAX_ROUTES = 32;

/** Server transactions kept at once. At 1,500 calls/s two of them live 32 s (timers L and J): 96,000. About 0.5 KB each. */
export const MAX_SERVER_TRANSACTIONS = 250_000;
/** Client transactions kept at once; an answered INVITE lives 32 s (timer M). */
export const MAX_CLIENT_TRANSACTIONS = 250_000;
/** Calls up at once; about 2 KB each. A business's line has tens, a platform's node thousands. */
export const MAX_DIALOGS = 50_000;
/** A call that nobody ended is a lost BYE: hang up both sides after this long. */
export const MAX_CALL_MS = 12 * 3_600_000;
/** The longest a subscription runs without a refresh: 23 days, near what a timer can count. Real ones run an hour. */
export const MAX_SUBSCRIPTION_S = 2_000_000;
/** Events subscribed to in one dialog: RFC 6665 §4.5.2 wants one, some phones make three. */
export const MAX_SUBSCRIPTIONS = 16;
/** An app that awaits its dialog has it, and listens, a moment after the 2xx; srf grants unheard NOTIFYs by itself. */
export const NOTIFY_AFTER_ANSWER_MS = 20;
/** NOTIFYs that wait for the answer to their SUBSCRIBE; a fork has a branch each, and repeats what is not taken. */
export const MAX_HELD_NOTIFIES = 4;
/** How often the dialog table is looked through for such calls. */
export const DIALOG_SWEEP_MS = 60_000;
/** An INVITE may ring this long whatever the app says: no phone rings a quarter of an hour, a lost app does. */
export const MAX_RINGING_MS = 15 * 60_000;
/** A UAS that rings on repeats its last 1xx every minute (RFC 3261 §13.3.1.1), so that timer C of proxies does not fire. */
export const REPEAT_PROVISIONAL_MS = 60_000;

/** Branches of a forked call that may ring reliably; more than a hunt group of phones. */
export const MAX_BRANCHES = 64;
/** Answers of an app to one INVITE that wait for a PRACK: real calls have one or two. */
export const MAX_WAITING_ANSWERS = 16;

/** UDP receive buffer asked for. With the default 208 KB, bursts at 700 calls/s are dropped by the kernel during a GC pause (measured). */
export const UDP_RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024;

/** TCP connections of SIP peers, both directions together. Carriers hold a handful each. */
export const MAX_TCP_CONNECTIONS = 1_024;
/** From one address: a NAT in front of a whole office still fits, one address cannot take every slot. */
export const MAX_TCP_CONNECTIONS_PER_ADDRESS = 256;
/** No byte for this long ends a connection; RFC 5626 §4.4.1 keep-alives come every 2 minutes. */
export const TCP_IDLE_MS = 10 * 60_000;
/** A message begun on a stream must be complete within this time (slow senders hold memory). */
export const TCP_MESSAGE_MS = 10_000;
/** Connecting to a peer; shorter than a ring timeout so that the next destination can still be tried. */
export const TCP_CONNECT_MS = 4_000;
/** Bytes not yet taken by one SIP peer's TCP stack; past it the connection is ended. */
export const TCP_WRITE_BUFFER_BYTES = 1024 * 1024;
/** A refused connection still gets its answer: the socket is destroyed this long after its last byte was handed over. */
export const TCP_LINGER_MS = 2_000;

/** Largest frame on the app link: five decimal digits (drachtio wire protocol). */
export const MAX_APP_FRAME_BYTES = 99_999;
/** App processes connected at once. */
export const MAX_APP_CONNECTIONS = 64;
/** An app says its secret at once; a connection that has not after this long is a stranger. */
export const APP_AUTHENTICATE_MS = 5_000;
/** Frames an app has not read: past this, a third of a second of full load, it gets no new calls. 1 MB was a GC pause at 1,500 calls/s (measured) … */
export const APP_CONGESTED_BYTES = 4 * 1024 * 1024;
/** … and past this it counts as lost: 16 MB is several thousand frames, seconds of full load. */
export const APP_WRITE_BUFFER_BYTES = 16 * 1024 * 1024;
/** Verbs one app may route; RFC 3261 and its extensions define 14, cdr:* three more. */
export const MAX_APP_VERBS = 64;
export const MAX_APP_VERB_BYTES = 64;

/** Retry-After of a 503, in seconds: RFC 3261 §21.5.4 keeps the carrier off this node for as long, so it is short. */
export const RETRY_AFTER_S = 5;
/** While draining the node goes away: long enough for the carrier to move on. */
export const DRAIN_RETRY_AFTER_S = 30;

/** Results of name look-ups kept; a destination's name is asked again after this long. */
export const DNS_CACHE_ENTRIES = 1_000;
export const DNS_CACHE_MS = 30_000;
/** Look-ups under way at once, and how long one may take; beyond, the request is refused. */
export const MAX_DNS_LOOKUPS = 256;
export const DNS_TIMEOUT_MS = 2_000;
/** Own addresses remembered per peer when listening on a wildcard address. */
export const LOCAL_ADDRESS_ENTRIES = 4_096;
export const LOCAL_ADDRESS_MS = 60_000;
/** Verdicts of the source filter remembered, because one look through the CIDRs costs more than the rest of the packet. */
export const SOURCE_VERDICTS = 8_192;

/** Bind attempts when UDP and TCP are to share a port that the system chooses. */
export const SHARED_PORT_ATTEMPTS = 20;
/** stop(): time for the last BYEs and 503s to be acknowledged before the sockets close. */
export const STOP_GRACE_MS = 1_000;
