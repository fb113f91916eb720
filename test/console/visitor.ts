/** A browser without its screen: keeps cookies as their attributes say, sends forms as a page would, follows nothing by itself. */
import { Agent, request } from 'undici'

export type Answer = {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly text: string
  readonly location: string
  /** Raw lines. */
  readonly cookies: readonly string[]
}

export type Visitor = {
  readonly jar: Map<string, string>
  get(path: string, headers?: Readonly<Record<string, string>>): Promise<Answer>
  /** A form sent from a page of the same address, unless `headers` say otherwise. */
  post(
    path: string,
    form: Readonly<Record<string, string>> | string,
    headers?: Readonly<Record<string, string | undefined>>,
  ): Promise<Answer>
  /** The token in the first form of a page that is sent there. */
  token(path: string): Promise<string>
}

/** `ca` is who certified the server; `from` the address to come from, one of this machine's. */
export function visitor(base: string, { ca, from }: { readonly ca?: string; readonly from?: string } = {}): Visitor {
  const anyone = new Agent({ ...(from !== undefined && { localAddress: from }), connect: { ...(ca && { ca }) } })
  const jar = new Map<string, string>()
  const send = async (method: 'GET' | 'POST', path: string, headers: Record<string, string>, body?: string) => {
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ')
    const {
      statusCode,
      headers: got,
      body: text,
    } = await request(new URL(path, base), {
      method,
      dispatcher: anyone,
      headers: { ...(cookie && { cookie }), ...headers },
      ...(body !== undefined && { body }),
    })
    const cookies = [got['set-cookie'] ?? []].flat()
    for (const line of cookies) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
      if (/max-age=0/i.test(line)) jar.delete(name)
      else jar.set(name, value)
    }
    return {
      status: statusCode,
      headers: got,
      text: await text.text(),
      location: String(got['location'] ?? ''),
      cookies,
    }
  }
  const get: Visitor['get'] = (path, headers = {}) => send('GET', path, headers)
  return {
    jar,
    get,
    post(path, form, headers = {}) {
      const whole = {
        'content-type': 'application/x-www-form-urlencoded',
        origin: new URL(base).origin,
        'sec-fetch-site': 'same-origin',
        ...headers,
      }
      const sent = Object.entries(whole).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]]))
      return send(
        'POST',
        path,
        Object.fromEntries(sent),
        typeof form === 'string' ? form : `${new URLSearchParams(form)}`,
      )
    },
    async token(path) {
      return tokenIn((await get(path)).text)
    },
  }
}

/** The token of the first form in a page; empty where there is none. */
export function tokenIn(page: string): string {
  return /name="_csrf" value="([^"]+)"/.exec(page)?.[1] ?? ''
}
