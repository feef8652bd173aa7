/**
 * DSSE's pre-authentication encoding: what is signed (https://github.com/secure-systems-lab/dsse/blob/master/protocol.md).
 * One line, as long as the payload is canonical JSON: never the text of a checkpoint, which the same key signs.
 */
export function dssePreAuthentication(payloadType: string, payload: string, byteLength: (text: string) => number): string {
  return `DSSEv1 ${byteLength(payloadType)} ${payloadType} ${byteLength(payload)} ${payload}`;
}
