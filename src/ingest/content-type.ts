/** What a remote write request says its body is. The content type decides; a body is never guessed at. */

export type RemoteWriteProtocol = 'rw1' | 'rw2';

const MEDIA_TYPE = 'application/x-protobuf';
const PROTOCOLS = new Map<string, RemoteWriteProtocol>([
  ['prometheus.WriteRequest', 'rw1'],
  ['io.prometheus.write.v2.Request', 'rw2'],
]);

const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const TYPE = new RegExp(`^[ \\t]*(${TOKEN}/${TOKEN})[ \\t]*(?=;|$)`);
/** One `; name=value` of RFC 9110, section 5.6.6, where the parameter itself may be missing. */
const PARAMETER = new RegExp(`;[ \\t]*(?:(${TOKEN})=(?:(${TOKEN})|"((?:[^"\\\\]|\\\\.)*)"))?[ \\t]*(?=;|$)`, 'y');

/** The protocol of a Content-Type header; null when it is none that is read here (415). A missing header means 1.0. */
export function remoteWriteProtocol(contentType: string | undefined): RemoteWriteProtocol | null {
  if (contentType === undefined || contentType === '') return 'rw1';
  const type = TYPE.exec(contentType);
  if (type === null || type[1]!.toLowerCase() !== MEDIA_TYPE) return null;
  let protocol: RemoteWriteProtocol | null = null;
  let at = type[0].length;
  while (at < contentType.length) {
    PARAMETER.lastIndex = at;
    const parameter = PARAMETER.exec(contentType);
    if (parameter === null) return null;
    at = PARAMETER.lastIndex;
    const [, name, token, quoted] = parameter;
    if (name === undefined || name.toLowerCase() !== 'proto') continue;
    const named = PROTOCOLS.get(token ?? quoted!.replace(/\\(.)/g, '$1')) ?? null;
    if (named === null || (protocol !== null && named !== protocol)) return null;
    protocol = named;
  }
  return protocol ?? 'rw1';
}

/** Whether a Content-Encoding header allows the body to be read (else 415). A missing header means snappy. */
export function isSnappyEncoding(contentEncoding: string | undefined): boolean {
  if (contentEncoding === undefined) return true;
  const encoding = contentEncoding.trim().toLowerCase();
  return encoding === '' || encoding === 'snappy';
}
