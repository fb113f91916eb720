import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Staffed, said, staffed } from './staffed.ts'

const name = '<i>惠州</i>'

describe('the page of members', () => {
  let here: Staffed
  beforeAll(async () => {
    here = await staffed({
      prepare: config => {
        const file = join(config, 'members', 'huizhou.json')
        const member = JSON.parse(readFileSync(file, 'utf8'))
        writeFileSync(file, `${JSON.stringify({ ...member, name: { zh: name, en: '<i>Huizhou</i>' } }, null, 2)}\n`)
      },
    })
  })
  afterAll(() => here[Symbol.asyncDispose]())

  it('shows a viewer the roll, its number, its end and the rules', async () => {
    const { status, text } = await here.by.viewer.get('/console/members')
    const { roll } = here.running.gateway('jiangyin').city.members
    expect(status).toBe(200)
    expect(said(text)).toMatch(new RegExp(`编号 ${roll.number} `))
    expect(said(text)).toContain(roll.digest)
    expect(said(text)).toMatch(/签名算法 ES256/)
  })

  it('shows each member’s keys and certificates up to the root, proved now', async () => {
    const { text } = await here.by.viewer.get('/console/members')
    const { members } = here.running.gateway('jiangyin').city
    for (const { keys, transport, encryption, endpoint, log } of members.all) {
      expect(text).toContain(endpoint)
      if (log !== undefined) expect(said(text)).toContain(log.key)
      for (const { kid, chain } of keys.values()) {
        expect(text).toContain(kid)
        for (const { digest } of chain) expect(text).toContain(digest)
      }
      for (const { chain } of transport) for (const { digest } of chain) expect(text).toContain(digest)
      for (const kid of encryption.keys()) expect(text).toContain(kid)
    }
    for (const { digest } of members.anchors.roots) expect(text).toContain(digest)
    expect(said(text)).toContain('核验通过')
    expect(said(text)).not.toContain('核验不通过')
  })

  it('shows the key of our own log as others know it', async () => {
    const us = here.running.gateway('jiangyin').city
    const theirs = here.running.gateway('huizhou').city
    await expect.poll(() => theirs.members.find(us.id)?.log, { timeout: 10_000 }).toBeDefined()
    const log = theirs.members.find(us.id)?.log
    const page = said((await here.by.viewer.get('/console/members')).text)
    expect(page).toContain(log?.origin)
    expect(page).toContain(log?.key)
  })

  it('shows every revocation list with its number and its next update', async () => {
    const page = said((await here.by.viewer.get('/console/members')).text)
    const lists = here.running.gateway('jiangyin').city.members.anchors.crls.list()
    expect(lists.length).toBeGreaterThan(0)
    for (const { issuer, number } of lists) expect(page).toMatch(new RegExp(`${issuer.text} ${number} 20`))
  })

  it('shows a name for what it is, a text, in both languages', async () => {
    for (const language of ['en', 'zh']) {
      const { text } = await here.by.viewer.get(`/console/members?lang=${language}`)
      expect(text).toMatch(/&lt;i&gt;(惠州|Huizhou)&lt;\/i&gt;/)
      expect(text).not.toContain('<i>')
    }
  })

  it('says which certificate no longer proves anything, once a list revokes it', async () => {
    const { federation } = here.running
    const { gateway } = here.running
    const { anchors } = gateway('jiangyin').city.members
    const [key] = gateway('jiangyin').city.members.find('huizhou')?.keys.values() ?? []
    const before = anchors.crls.revision
    const list = await federation.authority.revoke([key?.chain[0]?.openssl.toString() ?? ''])
    writeFileSync(join(federation.folder, 'certs', 'crls', list.name), list.pem)
    await expect.poll(() => anchors.crls.revision, { timeout: 10_000 }).not.toBe(before)
    expect(said((await here.by.viewer.get('/console/members')).text)).toMatch(/核验不通过 .*revo/)
  })
})
