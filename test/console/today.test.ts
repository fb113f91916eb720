import fc from 'fast-check'
import { Histogram, Registry } from 'prom-client'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { drawBars } from '../../src/console/chart.ts'
import { pages } from '../../src/console/console.ts'
import { endings } from '../../src/console/endings.ts'
import { latencyOf } from '../../src/console/latency.ts'
import { navigation, stylePath } from '../../src/console/layout.ts'
import { filterOf, isUnusable, typed } from '../../src/console/log-filter.ts'
import { openScene, type roles, type Scene, usualDay } from './scene.ts'

describe('the pages of the console', () => {
  it('stand in the list with the role that the navigation shows them to', () => {
    for (const { path, role } of navigation) {
      expect([
        path,
        pages.find(page => page.path === (path === '' ? '/' : path) && page.get !== undefined)?.role,
      ]).toEqual([path, role])
    }
  })
})

describe('a chart', () => {
  it('is one image that runs nothing and loads nothing, whatever its names', async () => {
    const name = '</text><script>alert(1)</script>"&'
    const svg = await drawBars(
      { labels: [name, '01:00'], series: [{ name, hue: 'good', values: [1, 2] }] },
      600,
      'light',
    )
    expect(svg).toMatch(/^<svg /)
    expect(svg).not.toMatch(/<script|<image|<foreignObject|href=/)
    expect(svg).toContain('&lt;script&gt;')
  })
})

describe('latency', () => {
  it('is said as a bound within the bucket that holds it, and not beyond the last one', async () => {
    const seconds = fc.double({ min: 0.0001, max: 20, noNaN: true })
    await fc.assert(
      fc.asyncProperty(fc.array(seconds, { minLength: 1, maxLength: 50 }), async all => {
        const buckets = [0.001, 0.01, 0.1, 1]
        const histogram = new Histogram({
          name: 'h',
          help: 'h',
          labelNames: ['direction'] as const,
          buckets,
          registers: [new Registry()],
        })
        for (const each of all) histogram.observe({ direction: 'in' }, each)
        const found = await latencyOf(histogram, 'in')
        const sorted = all.toSorted((a, b) => a - b)
        for (const share of [50, 95, 99] as const) {
          const exact = sorted[Math.ceil((all.length * share) / 100) - 1] ?? 0
          const upper = buckets.find(le => exact <= le)
          const said = found?.within[share]
          if (upper === undefined) expect(said).toBeUndefined()
          else expect(said).toSatisfy((n: number) => n <= upper && n >= (buckets[buckets.indexOf(upper) - 1] ?? 0))
        }
        expect([found?.questions, await latencyOf(histogram, 'out')]).toEqual([all.length, undefined])
      }),
      { numRuns: 30 },
    )
  })
})

describe('today', () => {
  let scene: Scene
  beforeAll(async () => {
    scene = await openScene({ play: usualDay })
  }, 60_000)
  afterAll(() => scene?.[Symbol.asyncDispose]())
  const get = (path: string, role: (typeof roles)[number] = 'viewer') => scene.staff[role].get(`/console${path}`)

  it('leads from the number of refused questions, with the reason, to the question itself', async () => {
    const link = await vi.waitFor(async () => {
      const { text } = await get('')
      const [, to] = /href="\/console(\/in\?[^"]*outcome=agreement\.purpose[^"]*)"/.exec(text) ?? []
      if (to === undefined) throw new Error('not counted yet')
      expect(text).toContain('协议未约定该查询目的')
      return to.replaceAll('&amp;', '&')
    }, 10_000)
    const { text } = await get(link)
    expect(text).toContain('惠评〔2026〕7号')
    expect(text).not.toContain('惠招')
  })

  it('leads from each number to exactly the entries that it counts', async () => {
    const { ledger } = scene.running.gateway('jiangyin').city
    const newest = async (kind: 'outcome' | 'declined') =>
      (await ledger.search({ kinds: [kind] }, { limit: 1 })).entries[0]?.entry
    const [outcome, declined] = [await newest('outcome'), await newest('declined')]
    if (outcome?.kind !== 'outcome' || declined?.kind !== 'declined') throw new Error('not a usual day')
    // What it has not: refused by a peer, for the reason for which we sent nothing to it, and nothing sent to all.
    const { receipt: _, answerDigest: __, heldUntil: ___, ...came } = outcome
    const { code, peer, purpose } = declined
    await ledger.append({ ...came, peer, purpose, outcome: 'refused', code })
    await ledger.append({ ...declined, peer: '*' })
    await ledger.append({ ...came, peer, purpose, outcome: 'unknown', code: 'peer.slow' })
    const counted = async (way: 'in' | 'out', query: string) => {
      const params = new URLSearchParams(query.replaceAll('&amp;', '&'))
      const filter = filterOf(
        way,
        typed(field => params.get(field) ?? undefined),
        undefined,
      )
      if (isUnusable(filter)) throw new Error(`${query}: ${filter.field}`)
      return (await ledger.search(filter, { limit: 1_000 })).entries.length
    }
    await vi.waitFor(async () => {
      const { text } = await get('')
      const cells = /<a href="\/console\/(in|out)\?([^"]*)">(\d+)<\/a>/g
      const rows = /data-label="查询数">(\d+)<\/td><td class="screen"><a href="\/console\/(in|out)\?([^"]*)">/g
      const links = [
        ...[...text.matchAll(cells)].map(([, way, query = '', n]) => ({ way, query, n })),
        ...[...text.matchAll(rows)].map(([, n, way, query = '']) => ({ way, query, n })),
      ]
      expect(links.filter(({ query }) => query.includes('outcome=declined'))).toHaveLength(3)
      expect(links.filter(({ query }) => query.includes('outcome=refused')).length).toBeGreaterThan(2)
      for (const { way, query, n } of links)
        expect([query, await counted(way === 'in' ? 'in' : 'out', query)]).toEqual([query, Number(n)])
    }, 10_000)
  })

  it('says that there was nothing yesterday, and what would be here', async () => {
    expect((await get('?day=yesterday')).text).toContain('这一天没有查询')
  })

  it('shows how things stand now on today alone', async () => {
    const now = ['日志条目', '答复用时', '运行状况', '到期一览', '运行正常']
    const [today, yesterday] = [(await get('')).text, (await get('?day=yesterday')).text]
    expect(now.filter(each => !today.includes(each))).toEqual([])
    expect(now.filter(each => yesterday.includes(each))).toEqual([])
  })

  it('calls what is counted for each city and what is measured once for all of them by two names', async () => {
    const { text } = await get('')
    expect(text).toMatch(/发出的查询<\/dt>.*每个被查城市各计一次，\d+ 次未获答复/)
    expect(text).toMatch(/<th scope="row">本市部门的请求<\/th><td class="n">2</)
  })

  it('leads to the table of what ends, which shows at once all that it called near', async () => {
    const { text } = await get('')
    const [, said = ''] = /有 (\d+) 项证书、协议、名册或吊销列表将到期。 <a href="#endings">/.exec(text) ?? []
    const [, table = ''] = /<section class="sheet" id="endings">(.*?)<\/section>/s.exec(text) ?? []
    const [shown = '', folded = ''] = table.split('<details>')
    const near = (part: string) => [...part.matchAll(/<span class="tag warn">将到期<\/span>/g)].length
    expect(Number(said)).toBeGreaterThan(0)
    expect([near(shown), near(folded)]).toEqual([Number(said), 0])
  })

  it('says that what was answered in part is counted as answered', async () => {
    expect((await get('/in?matter=018')).text).toContain('部分答复')
    expect((await get('')).text).toContain('“已答复”包括部分答复')
  })

  it('begins a day that is over with what was refused in it, and today with what was asked', async () => {
    const order = (page: string) => {
      const at = ['<h2>未受理的查询及原因', '<h2>收到的查询'].map(heading => page.indexOf(heading))
      expect(at).not.toContain(-1)
      return (at[0] ?? 0) < (at[1] ?? 0) ? 'refused' : 'asked'
    }
    expect([order((await get('?day=yesterday')).text), order((await get('')).text)]).toEqual(['refused', 'asked'])
  })

  it('draws its charts at addresses of their own', async () => {
    for (const look of ['wide-light', 'narrow-dark', 'nonsense']) {
      const { status, headers, text } = await get(`/chart/out.svg?look=${look}`)
      expect([status, headers['content-type']]).toEqual([200, 'image/svg+xml; charset=utf-8'])
      expect(text).toMatch(/^<svg /)
    }
  })

  it('knows what ends, the nearest first', () => {
    const { city } = scene.running.gateway('jiangyin')
    const all = endings(city, Date.now())
    expect(all.map(({ at }) => at)).toEqual(all.map(({ at }) => at).toSorted((a, b) => a - b))
    expect(new Set(all.map(({ what }) => what.en))).toEqual(
      new Set(['Roll of members', 'Signing certificate', 'Transport certificate', 'Revocation list', 'Agreement']),
    )
  })

  it('comes, as every page, with a policy that lets nothing in, and is kept nowhere', async () => {
    for (const { path, get: shows } of pages) {
      if (shows === undefined || path.includes(':')) continue
      const { headers } = await get(path === '/' ? '' : path, 'operator')
      const policy = String(headers['content-security-policy'])
      expect([path, policy.startsWith("default-src 'none'; ")]).toEqual([path, true])
      expect([path, policy.includes("frame-ancestors 'none'"), /script-src|https?:|\*/.test(policy)]).toEqual([
        path,
        true,
        false,
      ])
      expect([path, headers['cache-control'], headers['x-content-type-options']]).toEqual([path, 'no-store', 'nosniff'])
    }
  })

  it('has one stylesheet, kept for ever under an address that changes with its text', async () => {
    const { text } = await get('')
    expect([...text.matchAll(/<link rel="stylesheet" href="([^"]+)"/g)].map(([, to]) => to)).toEqual([
      `/console${stylePath}`,
    ])
    const { status, headers } = await get(stylePath)
    expect([status, headers['content-type'], headers['cache-control']]).toEqual([
      200,
      'text/css; charset=utf-8',
      'public, max-age=31536000, immutable',
    ])
  })

  it('is in the language that was chosen last', async () => {
    expect((await get('?lang=en')).text).toContain('<html lang="en">')
    expect((await get('/in')).text).toContain('<html lang="en">')
    expect((await get('?lang=zh')).text).toContain('<html lang="zh-CN">')
    expect((await get('/in')).text).toContain('<html lang="zh-CN">')
  })

  it('has the work of staff beside it, for auditors: who signed in and what was looked at', async () => {
    await get('/in', 'viewer')
    const { text } = await get('/records', 'auditor')
    expect(text).toContain('陈静')
    expect(text).toContain('查看：收到的查询')
    expect(text).toContain('登录')
    expect((await get('/records', 'viewer')).status).toBe(403)
    expect((await get('/records?from=nonsense', 'auditor')).status).toBe(400)
  })
})
