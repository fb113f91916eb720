/** The data volume is full: nothing leaves, readiness says why, and service resumes by itself when there is room. */
import { cpSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { verifyLedger } from '#ledger/verify.ts'
import { Answer, Problem, type Receipt, types } from '#protocol/message.ts'
import { claimsIn, runFederation } from '../federation.ts'
import { fill, mountVolume } from '../volume.ts'

const { volume, mounted } = mountVolume()

describe.skipIf(!mounted)('a gateway whose data volume is full (skipped where a tmpfs cannot be mounted)', () => {
  it('answers nothing, is not ready, and answers again when there is room', async () => {
    await using running = await runFederation()
    await running.stop('jiangyin')
    const { settings } = running.federation.city('jiangyin')
    const data = join(volume, 'data')
    cpSync(settings.data, data, { recursive: true })
    const moved = { ...settings, data, ledger: join(data, 'ledger.sqlite') }
    Object.assign(running.federation.city('jiangyin'), { settings: moved })
    await running.start('jiangyin')
    const readiness = async () => {
      const response = await fetch(`${running.gateway('jiangyin').insideUrl}/health/ready`)
      return { status: response.status, text: await response.text() }
    }
    const receipts: Receipt[] = []
    const ask = async () => {
      const { status, type, text } = await running.query('huizhou', 'jiangyin')
      if (status === 200) receipts.push(Answer.parse(claimsIn(text)).receipt)
      return { status, type, text }
    }
    for (let round = 0; round < 2; round += 1) {
      expect((await ask()).status).toBe(200)
      expect((await readiness()).status).toBe(200)

      fill(join(volume, 'filler'))
      const full = await readiness()
      expect(full.status).toBe(503)
      expect(full.text).toContain('ledger.unavailable')
      // The ledger's file may have some room of its own; what is answered from it is entered like any other.
      let refusal = await ask()
      for (let tries = 0; refusal.status === 200 && tries < 500; tries += 1) refusal = await ask()
      expect([refusal.status, refusal.type]).toEqual([503, 'application/problem+json'])
      expect(Problem.parse(JSON.parse(refusal.text)).code).toBe('ledger.unavailable')
      expect(refusal.text).not.toContain(types.answer)
      const asked = await running.ask('jiangyin', {
        peer: 'huizhou',
        subjects: ['91441300195971850Y'],
        purpose: 'tendering',
        matter: '澄招〔2026〕1号',
      })
      expect([asked.status, asked.body.code]).toEqual([503, 'ledger.unavailable'])
      expect((await fetch(`${running.gateway('jiangyin').insideUrl}/health/live`)).status).toBe(200)

      rmSync(join(volume, 'filler'))
      expect((await readiness()).status).toBe(200)
      expect((await ask()).status).toBe(200)
    }
    await running.stop('jiangyin')
    expect(verifyLedger(join(data, 'ledger.sqlite'), { receipts })).toMatchObject({
      verified: true,
      // And at each of the two starts the configuration.
      entries: receipts.length + 2,
    })
  })
})
