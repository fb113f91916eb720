/** Attacks by mass, by size and by patience, one for each row of docs/threats.md: honest peers are answered meanwhile. */
import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { Agent, request } from 'undici'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { limits, Problem, types } from '#protocol/message.ts'
import { callerTls } from '../../src/federation.ts'
import { type Running, runFederation } from '../federation.ts'
import { connection, genuine, happens, head, heard, served, toldAsStranger } from './attacker.ts'

let running: Running
beforeAll(async () => {
  running = await runFederation()
})
afterAll(() => running[Symbol.asyncDispose]())

describe('an attacker', () => {
  it('T29 who sends a question that is too large, or has no end, is stopped at the limit', async () => {
    for (const size of [limits.queryBytes + 1, 10_000_000])
      expect(await toldAsStranger(running, () => running.post('huizhou', 'jiangyin', 'a'.repeat(size)))).toBe(
        'form.size',
      )
    const socket = await connection(running)
    const said = heard(socket)
    socket.write(head('transfer-encoding: chunked\r\n\r\n'))
    const chunk = `4000\r\n${'a'.repeat(0x4000)}\r\n`
    let [sent, ended] = [0, false]
    void said.then(() => (ended = true))
    for (; !ended && sent < 10_000 && socket.writable; sent += 1) {
      if (!socket.write(chunk)) await Promise.race([happens(socket, 'drain'), said])
    }
    expect(await said).toMatch(/^(HTTP\/1\.1 413 |$)/)
    expect(sent).toBeLessThan(10_000)
    await served(running)
  })

  it('T30 who sends slowly takes nobody’s place, and is cut off', async () => {
    const sockets = await Promise.all(Array.from({ length: 100 }, () => connection(running)))
    const all = sockets.map(heard)
    for (const [i, socket] of sockets.entries()) socket.write(i % 2 === 0 ? head('x-half: ') : '')
    await Promise.all(Array.from({ length: 8 }, () => served(running)))
    for (const said of await Promise.all(all)) expect(said).toMatch(/^(HTTP\/1\.1 408 |$)/)
  })

  it('T31 who is a member and asks without end is refused under signature, then told no more than that we are busy', async () => {
    await using small = await runFederation({
      edit: agreement => Object.assign(agreement, { quota: { questionsPerMinute: 4, subjectsPerDay: 1000 } }),
    })
    const { ledger } = small.gateway('jiangyin').city
    const statuses: number[] = []
    // More than two minutes grant, wherever in the minute this begins.
    for (let i = 0; i < 40; i += 1) statuses.push((await small.query('huizhou', 'jiangyin')).status)
    const of = (status: number) => statuses.filter(each => each === status).length
    expect(new Set(statuses)).toEqual(new Set([200, 429, 503]))
    // And the configuration that it started with.
    expect(await ledger.count()).toBe(1 + of(200) + of(429))
    expect(of(200) + of(429)).toBeLessThanOrEqual(16)
  })

  it('T32 who floods us from elsewhere, with handshakes or with stolen names of keys, keeps no member waiting', async () => {
    const { port } = new URL(running.gateway('jiangyin').peersUrl)
    await served(running)
    // 400 connections that begin no handshake, from an address that no member has.
    const flood = Array.from({ length: 400 }, () =>
      connect({ port: Number(port), host: '127.0.0.1', localAddress: '127.0.0.9' }),
    )
    const cut = flood.map(socket =>
      happens(
        socket.on('error', () => undefined),
        'close',
      ),
    )
    const began = performance.now()
    for (let i = 0; i < 8; i += 1) await served(running)
    expect(performance.now() - began).toBeLessThan(4_000)
    let gone = 0
    for (const each of cut) void each.then(() => (gone += 1))
    await vi.waitFor(() => expect(gone).toBeGreaterThan(300), 10_000)
    for (const socket of flood) socket.destroy()
    // 300 questions with a good name of a key and a bad signature, over a stolen transport key, from another address still.
    const { keys, members } = await running.identity('huizhou')
    const dispatcher = new Agent({ localAddress: '127.0.0.8', connections: 16, connect: callerTls(keys, members) })
    const token = await genuine(running)
    const forged = `${token.slice(0, token.lastIndexOf('.'))}.${'A'.repeat(86)}`
    const { ledger } = running.gateway('jiangyin').city
    const before = await ledger.count()
    const posts = Array.from({ length: 300 }, async () => {
      const headers = { 'content-type': `application/${types.query}` }
      const url = `${running.gateway('jiangyin').peersUrl}/query`
      const { body } = await request(url, { method: 'POST', dispatcher, headers, body: forged })
      return Problem.parse(await body.json()).code
    })
    const told = await Promise.allSettled(posts)
    const codes = told.map(each => (each.status === 'fulfilled' ? each.value : 'cut off'))
    expect(codes).toContain('token.signature')
    expect(codes).toContain('load.busy')
    expect(codes.filter(code => code === 'token.signature').length).toBeLessThan(120)
    expect(await ledger.count()).toBe(before)
    await served(running)
    await dispatcher.destroy()
  })

  it('T33 who shows a chain of hundreds of certificates is cut off before any of them is looked at', async () => {
    const { certs } = running.federation.city('huizhou').settings
    const { keys } = await running.identity('huizhou')
    const issuer = keys.transport.pem.slice(keys.transport.pem.indexOf('-----END CERTIFICATE-----') + 26)
    const root = readFileSync(join(certs, 'root.pem'), 'utf8')
    for (const times of [300, 3000]) {
      const began = performance.now()
      const socket = await connection(running, { cert: keys.transport.pem + (issuer + root).repeat(times) })
      const said = heard(socket)
      const token = await genuine(running)
      if (socket.writable) socket.write(head(`content-length: ${token.length}\r\nconnection: close\r\n\r\n${token}`))
      expect(await said).toBe('')
      expect(performance.now() - began).toBeLessThan(5000)
    }
    await served(running)
  })

  it('T34 who sends what two devices on the way would cut in two different places is cut off', async () => {
    for (const more of [
      'content-length: 1\r\ncontent-length: 2\r\n\r\na',
      'content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
      'transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n',
      'transfer-encoding: \x0bchunked\r\n\r\n0\r\n\r\n',
      'content-length : 1\r\n\r\na',
      'content-length: +1\r\n\r\na',
      'transfer-encoding: chunked\r\n\r\n1;a\n\r\nx\r\n0\r\n\r\n',
      'x: a\r\n folded: 1\r\ncontent-length: 1\r\n\r\na',
    ]) {
      const socket = await connection(running)
      const said = heard(socket)
      socket.write(head(more))
      const text = await said
      expect(text, more).toMatch(/^HTTP\/1\.1 4/)
      expect(text.match(/HTTP\/1\.1/g)).toHaveLength(1)
    }
  })

  it('T35 who names another city’s certificate in a header, as a proxy would, is refused', async () => {
    const { keys } = await running.identity('jiangyin')
    const other = `:${new X509Certificate(keys.transport.pem).raw.toString('base64')}:`
    for (const [headers, iss] of [
      [{ 'client-cert': other }, 'jiangyin'],
      [{ 'client-cert': other }, 'huizhou'],
      [{ 'client-cert-chain': other }, 'huizhou'],
      [{ 'client-cert': '' }, 'huizhou'],
    ] as const) {
      const token = await genuine(running, { iss })
      expect(await toldAsStranger(running, () => running.post('huizhou', 'jiangyin', token, headers))).toBe(
        'token.transport',
      )
    }
    await served(running)
  })
})

it('the gateway serves after all of them', () => served(running))
