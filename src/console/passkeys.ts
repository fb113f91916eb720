/** A passkey (WebAuthn Level 3) proves its owner by touch and PIN or fingerprint, at our own address and at no other. */
import { z } from 'zod'
import type { Passkey } from './accounts.ts'

const Base64url = z.string().regex(/^[A-Za-z0-9_-]{1,8192}$/)
const credential = {
  id: Base64url,
  rawId: Base64url,
  type: z.literal('public-key'),
  clientExtensionResults: z.object({}),
}
const Registration = z.object({
  ...credential,
  response: z.object({ clientDataJSON: Base64url, attestationObject: Base64url }),
})
const Assertion = z.object({
  ...credential,
  response: z.object({
    clientDataJSON: Base64url,
    authenticatorData: Base64url,
    signature: Base64url,
    userHandle: Base64url.optional(),
  }),
})

/** ES256, EdDSA and RS256 (RFC 9053, RFC 8812): what authenticators have today. */
const ALGORITHMS = [-7, -8, -257]

/** Loaded by the first passkey: most gateways never see one, and it is a fiftieth of their memory. */
const webAuthn = () => import('@simplewebauthn/server')

/** Milliseconds that a person may take. */
export const PATIENCE = 5 * 60_000

export type Passkeys = {
  /** What the browser's `credentials.create` takes, in its JSON form. */
  invite(account: { readonly name: string; readonly handle: string }): Promise<{ challenge: string }>
  /** What its `credentials.get` takes: whoever it knows here, no name asked. */
  ask(): Promise<{ challenge: string }>
  /** Reads what `create` gave. Undefined where it does not answer this challenge, here, by touch and proof of person. */
  registered(text: string, challenge: string): Promise<Omit<Passkey, 'account'> | undefined>
  /** The id under which an answer says it stands; to be believed only after `proved`. */
  idOf(text: string): string | undefined
  /** The new count of uses where the answer is this passkey's to this challenge; undefined where it is not. */
  proved(text: string, challenge: string, passkey: Passkey, handle: string): Promise<number | undefined>
}

/** `origin` is the address that staff type in; passkeys belong to its host name for ever. */
export function passkeys(origin: string, city: string): Passkeys {
  const rpID = new URL(origin).hostname
  const expected = (challenge: string) => ({
    expectedChallenge: challenge,
    expectedOrigin: origin,
    expectedRPID: rpID,
    requireUserVerification: true,
  })
  return {
    invite: async ({ name, handle }) =>
      (await webAuthn()).generateRegistrationOptions({
        rpName: `信桥 Xinqiao ${city}`,
        rpID,
        userName: name,
        userID: Uint8Array.from(Buffer.from(handle, 'base64url')),
        timeout: PATIENCE,
        supportedAlgorithmIDs: ALGORITHMS,
        authenticatorSelection: { residentKey: 'required', userVerification: 'required' },
      }),
    ask: async () =>
      (await webAuthn()).generateAuthenticationOptions({ rpID, userVerification: 'required', timeout: PATIENCE }),
    async registered(text, challenge) {
      const response = parsed(text, Registration)
      if (response === undefined) return undefined
      const { verifyRegistrationResponse } = await webAuthn()
      const result = await verifyRegistrationResponse({
        response,
        ...expected(challenge),
        supportedAlgorithmIDs: ALGORITHMS,
      }).catch(() => undefined)
      if (result?.verified !== true) return undefined
      const { id, publicKey, counter } = result.registrationInfo.credential
      return { id, key: publicKey, counter }
    },
    idOf: text => parsed(text, Assertion)?.id,
    async proved(text, challenge, { id, key, counter }, handle) {
      const response = parsed(text, Assertion)
      if (response === undefined || (response.response.userHandle ?? handle) !== handle) return undefined
      const { verifyAuthenticationResponse } = await webAuthn()
      const result = await verifyAuthenticationResponse({
        response: asAnswered(response),
        ...expected(challenge),
        credential: { id, publicKey: Uint8Array.from(key), counter },
      }).catch(() => undefined)
      return result?.verified === true ? result.authenticationInfo.newCounter : undefined
    },
  }
}

/** A member that is missing is left out, and not there without a value. */
function asAnswered({ response: { userHandle, ...rest }, ...whole }: z.infer<typeof Assertion>) {
  return { ...whole, response: { ...rest, ...(userHandle !== undefined && { userHandle }) } }
}

function parsed<T>(text: string, form: z.ZodType<T>): T | undefined {
  try {
    return form.safeParse(JSON.parse(text)).data
  } catch {
    return undefined
  }
}
