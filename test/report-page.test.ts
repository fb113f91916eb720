/** The page of a report shows what was signed and nothing else, loads nothing, and takes no text for markup. */
import decodeQR from 'qr/decode.js'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Report, ReportFile } from '#exchange/report.ts'
import { canonical, sha256 } from '#protocol/canonical.ts'
import { reportPage } from '../src/report-page.ts'
import { type Running, runFederation } from './federation.ts'

let running: Running
let file: ReportFile
let page: string
const ask = async (accept: string) => {
  const { departmentKey } = running.federation.city('huizhou')
  return fetch(`${running.gateway('huizhou').insideUrl}/report`, {
    method: 'POST',
    headers: { authorization: `Bearer ${departmentKey}`, 'content-type': 'application/json', accept },
    body: JSON.stringify({
      subject: '91320281XXXXXX0197',
      purpose: 'tendering',
      matter: '惠招〔2026〕118号',
      period: { from: '2020-01-01', to: Temporal.Now.plainDateISO('Asia/Shanghai').toString() },
    }),
  })
}
beforeAll(async () => {
  running = await runFederation()
  file = ReportFile.parse(await (await ask('application/json')).json())
  page = await reportPage(file.report)
})
afterAll(() => running[Symbol.asyncDispose]())

/** What a reader sees: without style and markup, entities resolved. */
function visible(html: string): string {
  const [, body = ''] = /<body>([\s\S]*)<\/body>/.exec(html) ?? []
  const text = body.replace(/<svg[\s\S]*?<\/svg>/g, '').replace(/<[^>]+>/g, ' ')
  const entities: Readonly<Record<string, string>> = { lt: '<', gt: '>', quot: '"', '#39': "'", amp: '&' }
  return text.replace(/&(#?\w+);/g, (whole, name: string) => entities[name] ?? whole).replace(/\s+/g, ' ')
}

describe('the page', () => {
  it('comes from the gateway where a browser asks, with a policy under which nothing can be loaded or run', async () => {
    const response = await ask('text/html,application/xhtml+xml')
    expect(response.headers.get('content-type')).toMatch(/^text\/html/)
    expect(response.headers.get('content-security-policy')).toContain("default-src 'none'")
    expect(response.headers.get('cache-control')).toBe('no-store')
    expect(await response.text()).toMatch(/^<!doctype html>/)
  })

  it('has no script, and names no other host', () => {
    expect(page).not.toMatch(/<script|<link|<img|<iframe|javascript:|\son\w+=|url\(|@import/i)
    expect([...page.matchAll(/https?:\/\/[^\s"'<]+/g)].map(([url]) => url)).toEqual(['http://www.w3.org/2000/svg'])
  })

  it('shows every section, every record with its city, department and date, and how each empty section stands', () => {
    const text = visible(page)
    for (const { zh, en, state, entries } of file.report.sections) {
      expect(text).toContain(`${zh} ${en}`)
      if (state === 'none') expect(text).toMatch(new RegExp(`${zh} ${en} (无记录 No record|无 None)`))
      if (state === 'unknown') expect(text).toContain(`${zh} ${en} 未知 Unknown`)
      for (const { date, department = '部门未注明', title, lines } of entries) {
        for (const said of [date ?? '未注明', department, title.zh, ...lines.map(line => line.said)])
          expect(text).toContain(said)
      }
    }
    expect([...page.matchAll(/无记录 <span/g)]).toHaveLength(
      file.report.sections.filter(({ state, advice }) => state === 'none' && advice === undefined).length,
    )
  })

  it('says in each section what is unknown or withheld, by rule, and has the rules and the cautions at its end', () => {
    const text = visible(page)
    for (const { notes } of file.report.sections)
      for (const { zh } of notes.flatMap(({ rules }) => rules)) expect(text).toContain(zh)
    for (const { zh, en } of file.report.cautions) expect(text).toContain(`${zh} ${en}`)
  })

  it('says how fresh each family of a city is in the words of all other pages', () => {
    const words = { fresh: '按期 fresh', stale: '逾期 stale', unknown: '未知 unknown' }
    const stated = file.report.cities.flatMap(({ freshness }) => freshness)
    expect(stated.map(({ status }) => status)).toContain('fresh')
    for (const { status } of stated) expect(visible(page)).toContain(words[status])
  })

  it('shows no raw data: no braces, no undefined, no codes of the program for words', () => {
    expect(visible(page)).not.toMatch(/[{}[\]]|undefined|\[object|agreement\.(list|field)|"zh"/)
  })

  it('says when it was made in Asia/Shanghai and until when it is good', () => {
    const text = visible(page)
    const local = (seconds: number) =>
      new Date((seconds + 8 * 3600) * 1000).toISOString().slice(0, 19).replace('T', ' ')
    expect(text).toContain(`出具时间 Made at ${local(file.report.iat)}`)
    expect(text).toContain(`有效至 Valid until ${local(file.report.exp)}`)
  })

  it('repeats the head of a table on every printed page, cuts no row, and has the code at the foot of each', () => {
    expect(page).toMatch(/thead \{ display: table-header-group; \}/)
    expect(page).toMatch(/tr \{ break-inside: avoid; \}/)
    expect(page).toMatch(/@page \{ size: A4;/)
    expect(page).toContain(`@bottom-left { content: "核验码 ${file.code}"`)
  })

  it('has a QR code that reads back as the issuer, the code and the digest', () => {
    expect(decodeQR(rasterOf(page))).toBe(`xinqiao-report:huizhou:${file.code}:${sha256(canonical(file.report))}`)
  })

  it('keeps markup in names, departments and texts as the text that it is', async () => {
    const evil = `<script>alert(1)</script><b onload='x'>&amp;"`
    const bend = <T>(value: T): T =>
      JSON.parse(JSON.stringify(value).replaceAll('江阴', JSON.stringify(evil).slice(1, -1)))
    const report: Report = bend(file.report)
    const bent = await reportPage(report)
    expect(bent).not.toContain('<script')
    expect(bent).not.toContain('<b onload')
    expect(visible(bent)).toContain(evil)
  })
})

/** Draws the modules of the page's QR code, four pixels each. */
function rasterOf(html: string) {
  const [, box = '', path = ''] = /<svg viewBox="0 0 (\d+) \d+"[^>]*><path d="([^"]+)"/.exec(html) ?? []
  const [side, scale] = [Number(box), 4]
  const size = side * scale
  const data = new Uint8Array(size * size * 4).fill(255)
  let [x, y] = [0, 0]
  for (const [, command, dx, dy] of path.matchAll(/([Mm])(-?\d+)[ ,]?(-?\d+)/g)) {
    const from = command === 'M' ? [0, 0] : [x, y]
    x = (from[0] ?? 0) + Number(dx)
    y = (from[1] ?? 0) + Number(dy)
    for (let i = 0; i < scale; i++)
      for (let j = 0; j < scale; j++) {
        const pixel = ((y * scale + j) * size + x * scale + i) * 4
        data.fill(0, pixel, pixel + 3)
      }
  }
  return { width: size, height: size, data }
}
