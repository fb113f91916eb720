import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { z } from 'zod'
import { ConfigurationError } from '#protocol/fault.ts'
import { type Algorithm, algorithms } from '#trust/jws.ts'
import { runFederation } from '../federation.ts'

const JsonObject = z.record(z.string(), z.unknown())

/** Huizhou signs with `alg`, and the federation's rules name these algorithms. */
const run = (alg: Algorithm, named: readonly Algorithm[]) =>
  runFederation({
    signsWith: city => (city === 'huizhou' ? alg : undefined),
    prepare: config => {
      const file = join(config, 'rules.json')
      const rules = JsonObject.parse(JSON.parse(readFileSync(file, 'utf8')))
      writeFileSync(file, JSON.stringify({ ...rules, algorithms: named }))
    },
  })

it.each(algorithms)('a city asks and answers with a key of %s where the federation’s rules name it', async alg => {
  await using running = await run(alg, [...new Set<Algorithm>(['ES256', alg])])
  expect((await running.identity('huizhou')).keys.signing.alg).toBe(alg)
  expect((await running.query('huizhou', 'jiangyin')).status).toBe(200)
  const asked = { purpose: 'tendering', matter: '苏澄招〔2026〕001号', subjects: ['91441300195971850Y'] }
  const { body } = await running.ask('jiangyin', { ...asked, peer: 'huizhou', want: [{ family: 'licence' }] })
  expect(body.peers.map(({ outcome }) => outcome)).toEqual(['answered'])
})

it.each(['Ed25519', 'ML-DSA-65', 'SGD_SM3_SM2'] as const)(
  'a city with a key of %s does not start where they do not',
  async alg => {
    await expect(run(alg, ['ES256'])).rejects.toThrow(ConfigurationError)
  },
)
