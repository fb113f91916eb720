/** Whoever stalls, floods or sends too much is cut off in bounded time, and everybody else is served meanwhile. */
import { once } from 'node:events'
import { connect as connectPlain, type Socket } from 'node:net'
import { connect } from 'node:tls'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { limits, types } from '#protocol/message.ts'
import { callerTls } from '../../src/federation.ts'
import { type Running, runFederation } from '../federation.ts'

let running: Running
beforeAll(async () => {
  running = await runFederation()
  // From now on its address is known, and may have more than a stranger's.
  await running.query('huizhou', 'jiangyin')
})
afterAll(() => running[Symbol.asyncDispose]())

/** A connection of Huizhou to Jiangyin, byte by byte. */
async function outside(): Promise<Socket> {
  const { keys, members } = await running.identity('huizhou')
  const { port } = new URL(running.gateway('jiangyin').peersUrl)
  const socket = connect({
    port: Number(port),
    host: '127.0.0.1',
    ...callerTls(keys, members),
  })
  await once(socket, 'secureConnect')
  return socket
}

async function inside(): Promise<Socket> {
  const socket = connectPlain(Number(new URL(running.gateway('jiangyin').insideUrl).port), '127.0.0.1')
  await once(socket, 'connect')
  return socket
}

/** All that the server says until it ends the connection, and how long that took. */
async function heard(socket: Socket): Promise<{ text: string; seconds: number }> {
  const began = performance.now()
  let text = ''
  socket.setEncoding('latin1').on('data', (chunk: string) => (text += chunk))
  socket.on('error', () => undefined)
  // Not `once`, which a reset would end with an error.
  await new Promise(resolve => socket.once('close', resolve))
  return { text, seconds: (performance.now() - began) / 1000 }
}

const head = (path: string, more = '') =>
  `POST ${path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/${types.query}\r\n${more}`

describe('a caller that', () => {
  const authorization = () => `authorization: Bearer ${running.federation.city('jiangyin').departmentKey}\r\n`
  it.concurrent.each([
    ['sends half a body and then nothing', outside, () => `${head('/query', 'content-length: 100\r\n')}\r\nabc`, 10],
    ['sends half a header and then nothing', outside, () => head('/query', 'x-half: '), 5],
    ['connects and says nothing', outside, () => '', 5],
    [
      'stalls on the inside surface',
      inside,
      () => `${head('/ask', `content-length: 100\r\n${authorization()}`)}\r\n{`,
      10,
    ],
  ])('%s is cut off, and others are answered meanwhile', async (_, open, text, seconds) => {
    const stalled = Array.from({ length: 20 }, async () => {
      const socket = await open()
      socket.write(text())
      return heard(socket)
    })
    const { status } = await running.query('huizhou', 'jiangyin')
    expect(status).toBe(200)
    for (const said of await Promise.all(stalled)) {
      // 408, or no word at all where nothing was asked; never an answer.
      expect(said.text).toMatch(/^(HTTP\/1\.1 408 |$)/)
      expect(said.seconds).toBeGreaterThan(seconds - 4)
      expect(said.seconds).toBeLessThan(seconds + 10)
    }
  })

  it.concurrent('drips its body, a byte at a time, is cut off all the same', async () => {
    const socket = await outside()
    const ended = heard(socket)
    socket.write(`${head('/query', `content-length: ${limits.queryBytes}\r\n`)}\r\n`)
    const drip = setInterval(() => socket.writable && socket.write('a'), 200)
    const { text, seconds } = await ended
    clearInterval(drip)
    expect(text).not.toContain('200 OK')
    expect(seconds).toBeLessThan(20)
  })

  it.concurrent('stalls 300 times at once takes nobody’s place', async () => {
    const sockets = await Promise.all(Array.from({ length: 300 }, outside))
    for (const socket of sockets) {
      socket.on('error', () => undefined)
      socket.write(`${head('/query', 'content-length: 100\r\n')}\r\nabc`)
    }
    const responses = await Promise.all(Array.from({ length: 8 }, () => running.query('huizhou', 'jiangyin')))
    expect(responses.map(({ status }) => status)).toEqual(Array.from({ length: 8 }, () => 200))
    for (const socket of sockets) socket.destroy()
  })

  it.concurrent.each([
    ['sends a header of 9,000 bytes', `${head('/query', `x-long: ${'a'.repeat(9_000)}\r\n`)}\r\n`, '431'],
    ['sends what is no HTTP', 'EHLO jiangyin\r\n\r\n', '400'],
    ['says two lengths', `${head('/query', 'content-length: 1\r\ncontent-length: 2\r\n')}\r\na`, '400'],
    [
      'says a length and chunks, for a device on the way to read otherwise',
      `${head('/query', 'content-length: 1\r\ntransfer-encoding: chunked\r\n')}\r\n0\r\n\r\n`,
      '400',
    ],
  ])('%s is told so and cut off', async (_, text, status) => {
    const socket = await outside()
    const ended = heard(socket)
    socket.write(text)
    const said = await ended
    expect(said.text).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `))
    expect(said.seconds).toBeLessThan(5)
  })

  it.concurrent('sends chunks without end is stopped at the limit', async () => {
    const socket = await outside()
    const ended = heard(socket)
    socket.write(`${head('/query', 'transfer-encoding: chunked\r\n')}\r\n`)
    const chunk = `4000\r\n${'a'.repeat(0x4000)}\r\n`
    let written = 0
    while (socket.writable && written < 400) {
      written += 1
      if (!socket.write(chunk)) await Promise.race([once(socket, 'drain').catch(() => undefined), ended])
    }
    const { text } = await ended
    expect(text === '' || text.startsWith('HTTP/1.1 413 ')).toBe(true)
  })
})

it('the gateway serves on after all of them', async () => {
  expect((await running.query('huizhou', 'jiangyin')).status).toBe(200)
  const ready = await fetch(`${running.gateway('jiangyin').insideUrl}/health/ready`)
  expect(ready.status).toBe(200)
})
