/** What a log said twice stands before everything on the first page, and an operator says that it is known where saying so is enough. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { signCheckpoint } from '#ledger/checkpoint.ts'
import { emptyRoot } from '#ledger/tree.ts'
import { names, openScene, type Scene } from './scene.ts'

let scene: Scene
beforeAll(async () => {
  scene = await openScene()
}, 60_000)
afterAll(() => scene?.[Symbol.asyncDispose]())

const page = async (lang = 'zh') => (await scene.staff.operator.get(`/console?lang=${lang}`)).text
/** What the form of a city's contradictions sends; undefined where there is none. */
const formOf = async (city: string) => {
  const forms = [...(await page()).matchAll(/<form method="post" action="\/console\/contradiction">(.*?)<\/form>/gs)]
  const all = forms.map(([, form = '']) => [...form.matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)">/g)])
  const fields = all.map(inputs => inputs.map(([, name = '', value = '']): [string, string] => [name, value]))
  return fields.find(each => each.some(([name, value]) => name === 'city' && value === city))
}
const acknowledged = async () => {
  const { entries } = await scene.running.gateway('jiangyin').city.ledger.search({ kinds: ['staff'] }, { limit: 100 })
  return entries.filter(({ entry }) => entry.kind === 'staff' && entry.action === 'acknowledged').length
}
/** Has Jiangyin hear that a log signed another tree of the size that it has. */
const contradicted = async (city: string) => {
  const { log } = scene.running.gateway(city).transparency
  const { size, note } = await log.integrate()
  const { keys } = await scene.running.identity(city)
  const held = signCheckpoint({ origin: log.origin, size, root: emptyRoot, extensions: [] }, keys.log)
  const found = { city, name: 'forked', held, found: note, detail: 'two of one size' } as const
  await scene.running.gateway('jiangyin').transparency.gossip.contradicted(found)
}

describe('a contradiction', () => {
  it('of another city is acknowledged by an operator, in the ledger, and stands no more', async () => {
    await contradicted('huizhou')
    const form = await formOf('huizhou')
    if (form === undefined) throw new Error('no form')
    expect(await page()).toContain('惠州市的日志自相矛盾')
    expect((await scene.staff.viewer.get('/console')).text).not.toContain('action="/console/contradiction"')
    const { status } = await scene.staff.operator.post('/console/contradiction', new URLSearchParams(form).toString())
    expect([status, await acknowledged()]).toEqual([303, 1])
    const [found] = await scene.running.gateway('jiangyin').transparency.gossip.contradictions()
    expect(found?.acknowledged?.by).toBe(names.operator)
    expect(await page()).not.toContain('自相矛盾')
    expect((await scene.staff.auditor.get('/console/records')).text).toContain('城市：惠州市；已见矛盾数：1')
  })

  it('of our own log, as long as it holds, has no button, and the form of one is answered in words and leaves nothing', async () => {
    const csrf = /name="_csrf" value="([^"]+)"/.exec(await page())?.[1] ?? ''
    await contradicted('jiangyin')
    expect(await page()).toContain('江阴市的日志自相矛盾')
    expect(await formOf('jiangyin')).toBeUndefined()
    expect(await page('en')).toContain('cannot be acknowledged')
    const before = await acknowledged()
    const form = { _csrf: csrf, city: 'jiangyin', seen: '0' }
    const { status, text } = await scene.staff.operator.post('/console/contradiction', form)
    expect([status, await acknowledged()]).toEqual([409, before])
    expect(text).toContain('cannot be acknowledged')
    const all = await scene.running.gateway('jiangyin').transparency.gossip.contradictions()
    expect(all.filter(each => each.acknowledged === undefined).map(({ city }) => city)).toEqual(['jiangyin'])
  })
})
