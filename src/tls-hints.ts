/** How the settings of one server are called, for the hints. */
export interface TlsSettings {
  readonly url: string
  readonly ca: string
  readonly cert: string
  readonly key: string
}

type Hint = (settings: TlsSettings) => string

/** Codes and texts of OpenSSL, Node and the two servers -> what mends them. First match wins; alerts come from the other side. */
const HINTS: readonly (readonly [when: RegExp, hint: Hint])[] = [
  [
    /alert certificate required|requires a valid client certificate/i,
    ({ cert, key }) => `the server wants a client certificate: name its file in ${cert}, and that of its key in ${key}`,
  ],
  [
    /alert (certificate )?expired/i,
    ({ cert }) => `the server finds our client certificate (${cert}) expired: renew it`,
  ],
  [
    /alert (unknown ca|bad certificate|certificate (unknown|revoked)|unsupported certificate|decrypt error)/i,
    ({ cert }) =>
      `the server does not accept our client certificate: have that of ${cert} signed by a CA that it trusts`,
  ],
  [/certificate has expired/i, () => 'renew the certificate of the server'],
  [/certificate is not yet valid/i, () => 'is the clock right, here and where the certificate was made?'],
  [
    /altnames|does not match/i,
    ({ url }) => `use a name in ${url} that the certificate of the server is for, or have it made for this one, too`,
  ],
  [
    /self.signed|unable to (verify|get)|issuer certificate|untrusted/i,
    ({ ca }) => `name the file of the CA that signed the certificate of the server in ${ca}`,
  ],
  [/key values mismatch/i, ({ cert, key }) => `${key} should be the key of the certificate in ${cert}`],
  [
    /start line|PEM|DECODER|asn1|bad decrypt|interrupted or cancelled/i,
    ({ ca, cert, key }) => `${ca}, ${cert} and ${key} should name files in PEM, the key without a passphrase`,
  ],
]

/** The mend for an error of TLS; undefined where there is none that we know. */
export function tlsHint(text: string, settings: TlsSettings): string | undefined {
  return HINTS.find(([when]) => when.test(text))?.[1](settings)
}

/** An error of OpenSSL (`<thread>:error:<code>:<library>:<function>:<reason>:<file>:…`) as its reason; any other text as it is. */
export function readable(text: string): string {
  const reason = /:error:[\dA-F]+:[^:]*:[^:]*:([^:]+):/.exec(text)?.[1]
  return reason === undefined ? text : `TLS: ${reason}`
}
