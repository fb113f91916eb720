/** A page is one whole document in the frame that all pages share; it loads nothing but the console's own stylesheet. */
import { hash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { html } from 'hono/html'
import { BASE, type Visit } from './desk.ts'
import type { Role } from './staff.ts'
import { words } from './words.ts'

export type Markup = ReturnType<typeof html>

/** The stylesheet, and the address that changes with its text, so that a browser may keep it for ever. */
export const style = readFileSync(join(import.meta.dirname, 'console.css'), 'utf8')
export const stylePath = `/console.${hash('sha256', style, 'hex').slice(0, 16)}.css`

/** The pages in the order of the day's work; whoever has no right to one does not see it. */
export const navigation = [
  { word: 'today', path: '', role: 'viewer' },
  { word: 'inbound', path: '/in', role: 'viewer' },
  { word: 'outbound', path: '/out', role: 'viewer' },
  { word: 'ask', path: '/ask', role: 'operator' },
  { word: 'enterprise', path: '/enterprise', role: 'auditor' },
  { word: 'agreements', path: '/agreements', role: 'viewer' },
  { word: 'mappings', path: '/mappings', role: 'viewer' },
  { word: 'members', path: '/members', role: 'viewer' },
  { word: 'unusual', path: '/unusual', role: 'auditor' },
  { word: 'records', path: '/records', role: 'auditor' },
] as const satisfies readonly {
  readonly word: keyof (typeof words)['zh']
  readonly path: string
  readonly role: Role
}[]

type Active = (typeof navigation)[number]['word']

const ranks = { viewer: 0, auditor: 1, operator: 2 } as const satisfies Record<Role, number>

/** Whether who has one role may do what takes another: each may do what the one before it may. */
export function reaches(role: Role, needed: Role): boolean {
  return ranks[role] >= ranks[needed]
}

type Frame = {
  /** Of this page alone; the document's title adds the rest. */
  readonly title: string
  /** The page of the navigation that it belongs to; none for sign-in and faults. */
  readonly active?: Active | undefined
  /** Of the response; 200 unless told. */
  readonly status?: 200 | 400 | 401 | 403 | 404 | 409 | 413 | 429 | 500 | 502 | 503
  /** Where the same page is found by GET, if it is shown in answer to a form: the other language is asked for there. */
  readonly address?: string
  /** Paths of the console's own scripts that the page works better with; without one no script may run. */
  readonly scripts?: readonly string[]
}

/** Gives the page as a response. All that is put into `body` has to be made by `html`, which escapes it. */
export async function page(c: Visit, { title, active, status = 200, address, scripts = [] }: Frame, body: Markup) {
  const { desk, language, staff } = { desk: c.get('desk'), language: c.get('language'), staff: c.get('staff') }
  const t = words[language]
  const us = desk.city.members.find(desk.city.id)?.name[language] ?? desk.city.id
  const other = language === 'zh' ? 'en' : 'zh'
  const here = new URL(address ?? (c.req.method === 'POST' ? BASE : c.req.url), c.req.url)
  here.searchParams.set('lang', other)
  if (scripts.length > 0) c.header('content-security-policy', policy("; script-src 'self'; connect-src 'self'"))
  const links = navigation.filter(({ role }) => staff !== undefined && reaches(staff.role, role))
  return c.html(
    await html`<!doctype html>
<html lang="${language === 'zh' ? 'zh-CN' : 'en'}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title} · ${us} · ${t.product}</title>
<link rel="stylesheet" href="${BASE}${stylePath}">
<link rel="icon" href="${BASE}/icon.svg" type="image/svg+xml">
${scripts.map(path => html`<script src="${BASE}${path}" defer></script>`)}
</head>
<body>
<a class="skip" href="#content">${t.skip}</a>
<header class="top">
<div class="bar">
<a class="brand" href="${BASE}"><span class="mark" aria-hidden="true">信</span><span class="us"><b>${us}</b><span>${t.product} · ${t.console}</span></span></a>
<div class="who">
${staff && html`<span class="person"><b>${staff.name}</b><span class="role">${t[staff.role]}</span></span>`}
<a class="quiet" href="${here.pathname}${here.search}" lang="${other === 'zh' ? 'zh-CN' : 'en'}" hreflang="${other}">${t.otherLanguage}</a>
${staff && html`<form method="post" action="${BASE}/sign-out"><input type="hidden" name="_csrf" value="${staff.csrf}"><button class="quiet">${t.signOut}</button></form>`}
</div>
</div>
${
  links.length > 0 &&
  html`<nav class="pages" aria-label="${t.navigation}"><ul>${links.map(
    ({ word, path }) =>
      html`<li><a href="${BASE}${path}"${word === active ? html` aria-current="page"` : ''} data-word="${t[word]}">${t[word]}</a></li>`,
  )}</ul></nav>`
}
</header>
<main id="content" tabindex="-1">
${body}
</main>
</body>
</html>
`,
    status,
  )
}

/** The policy of every response: nothing from elsewhere, nothing inline, no frame, no script unless a page names its own. */
export function policy(more = ''): string {
  return `default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'${more}`
}

/** Where nothing is: what will appear here, and what to do until then. */
export function empty(title: string, text: string): Markup {
  return html`<div class="empty"><p><b>${title}</b></p><p>${text}</p></div>`
}

/** What went wrong, and what to do about it. */
export function trouble(title: string, text: string): Markup {
  return html`<div class="trouble" role="alert"><p><b>${title}</b></p><p>${text}</p></div>`
}
