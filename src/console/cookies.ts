/** Every cookie of sign-in is out of reach for scripts and, over TLS, bound to this host; its city is in its name. */
import type { Context } from 'hono'
import { deleteCookie, getCookie, setCookie } from 'hono/cookie'
import { isSecure } from './wire.ts'

/**
 * `session` is who has signed in; `visit` holds a form to the browser it was given to, before that; `flow` and `challenge`
 * go with one attempt by provider or passkey; `device` tells a browser from which an account has signed in before.
 */
type CookieUse = 'session' | 'visit' | 'flow' | 'challenge' | 'device'

/**
 * A cookie is sent to every port of a host: two gateways of one machine are told apart by the city. Of `__Host-`
 * (RFC 6265bis, section 4.1.3.2) a browser believes that no other host set it, which needs TLS.
 */
function nameOf(c: Context, city: string, use: CookieUse): string {
  return `${isSecure(c) ? '__Host-' : ''}xinqiao-${city}-${use}`
}

export type Cookies = {
  get(c: Context, use: CookieUse): string | undefined
  /** Without `seconds` it goes when the browser is closed. */
  set(c: Context, use: CookieUse, value: string, seconds?: number): void
  drop(c: Context, use: CookieUse): void
}

export function cookies(city: string): Cookies {
  const attributes = (c: Context, use: CookieUse) => ({
    path: '/',
    httpOnly: true,
    secure: isSecure(c),
    // Whoever comes back from the provider comes from another site: Strict would keep the one cookie back that proves the way.
    sameSite: use === 'flow' ? ('Lax' as const) : ('Strict' as const),
  })
  return {
    get: (c, use) => getCookie(c, nameOf(c, city, use)),
    set: (c, use, value, seconds) =>
      setCookie(c, nameOf(c, city, use), value, {
        ...attributes(c, use),
        ...(seconds !== undefined && { maxAge: seconds }),
      }),
    drop: (c, use) => {
      deleteCookie(c, nameOf(c, city, use), attributes(c, use))
    },
  }
}
