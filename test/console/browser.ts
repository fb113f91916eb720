/** A real browser for a test: Debian's Chromium, with nothing of its own that would call anywhere, and a profile that ends with it. */
import { existsSync } from 'node:fs'
import { type Browser, type BrowserContext, chromium } from 'playwright-core'
import type { Visitor } from './visitor.ts'

const CHROMIUM = '/usr/bin/chromium'
export const hasChromium = existsSync(CHROMIUM)

const quiet = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

export function openBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: CHROMIUM, headless: true, args: quiet })
}

export const widths = { desktop: { width: 1280, height: 900 }, phone: { width: 360, height: 740 } } as const
export type Width = keyof typeof widths

export type Seat = {
  readonly width?: Width
  readonly dark?: boolean
  readonly javaScript?: boolean
  /** Whose session it has; nobody's where undefined. */
  readonly who?: Visitor | undefined
}

/** A window of its own, with the session of a visitor who has signed in. */
export async function seat(
  browser: Browser,
  url: string,
  { width = 'desktop', dark, javaScript, who }: Seat,
): Promise<BrowserContext> {
  const context = await browser.newContext({
    viewport: widths[width],
    colorScheme: dark ? 'dark' : 'light',
    javaScriptEnabled: javaScript ?? true,
    locale: 'zh-CN',
    timezoneId: 'Asia/Shanghai',
  })
  await context.addCookies([...(who?.jar ?? [])].map(([name, value]) => ({ name, value, url: `${url}/console` })))
  return context
}
