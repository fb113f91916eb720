/** The description of the inside surface is valid, and what the surface really says is what the description says. */
import { Validator } from '@seriousme/openapi-schema-validator'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { type Running, runFederation } from '../federation.ts'

const Described = z.looseObject({
  openapi: z.string(),
  paths: z.record(
    z.string(),
    z.record(
      z.string(),
      z.looseObject({
        requestBody: z.looseObject({ content: z.record(z.string(), z.looseObject({})) }).optional(),
        responses: z.record(z.string(), z.looseObject({ content: z.record(z.string(), z.looseObject({})).optional() })),
      }),
    ),
  ),
  components: z.looseObject({ schemas: z.record(z.string(), z.looseObject({})) }),
})

let running: Running
let url: string
let text: string
let document: z.infer<typeof Described>
beforeAll(async () => {
  running = await runFederation()
  url = running.gateway('huizhou').insideUrl
  text = await (await fetch(`${url}/openapi.json`)).text()
  document = Described.parse(JSON.parse(text))
})
afterAll(() => running[Symbol.asyncDispose]())

/** The schema of an answer as the document has it, apart from the code that made the document. */
function schemaOf(path: string, method: string, status: number, type: string): z.ZodType {
  const schema = document.paths[path]?.[method]?.responses[status]?.content?.[type]?.['schema']
  if (schema === undefined) throw new RangeError(`${method} ${path} ${status} ${type} is not described`)
  const alone = { ...Object(schema), $defs: document.components.schemas }
  return z.fromJSONSchema(JSON.parse(JSON.stringify(alone).replaceAll('#/components/schemas/', '#/$defs/')))
}

async function expectDescribed(path: string, init: RequestInit = {}) {
  const response = await fetch(`${url}${path}`, init)
  const [type = ''] = (response.headers.get('content-type') ?? '').split(';')
  const body: unknown = await response.json()
  const { success, error } = schemaOf(path, (init.method ?? 'get').toLowerCase(), response.status, type).safeParse(body)
  expect(success, error?.message).toBe(true)
  return { status: response.status, body }
}

describe('the description', () => {
  it('is valid OpenAPI 3.1', async () => {
    const validator = new Validator()
    const { valid, errors } = await validator.validate(JSON.parse(text))
    expect(errors).toBeUndefined()
    expect([valid, validator.version]).toEqual([true, '3.1'])
  })

  it('says exactly which paths there are', async () => {
    expect(Object.keys(document.paths).sort()).toEqual([
      '/ask',
      '/health/live',
      '/health/ready',
      '/metrics',
      '/openapi.json',
      '/report',
    ])
    for (const [path, methods] of Object.entries(document.paths)) {
      const [method = ''] = Object.keys(methods)
      const other = method === 'get' ? 'POST' : 'GET'
      expect((await fetch(`${url}${path}`, { method: method.toUpperCase() })).status, path).not.toBe(404)
      expect((await fetch(`${url}${path}`, { method: other })).status, path).toBe(404)
    }
  })

  const subjects = ['91320281250344877K', '91320281XXXXXX0197', 'nonsense', '91320281XXXXXX0272']
  const question = { peer: 'jiangyin', subjects, purpose: 'tendering', matter: '惠招〔2026〕118号' }
  const post = (body: unknown, key = running.federation.city('huizhou').departmentKey) => ({
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  })

  it.each([
    ['about enterprises with licences, penalties, lists and ratings', question, 200],
    ['of all cities', { ...question, peer: '*' }, 200],
    ['for two fields', { ...question, want: [{ family: 'penalty', fields: ['number', 'fine'] }] }, 200],
    ['of no form', '{"peer":', 400],
    ['with a member that is not described', { ...question, urgent: true }, 400],
    ['about nobody lawful', { ...question, subjects: ['11010519491231002X'] }, 403],
    ['for a purpose outside the agreement', { ...question, purpose: 'awards' }, 403],
    ['of a city that is no member', { ...question, peer: 'atlantis' }, 404],
    ['that is too large', { ...question, matter: 'a'.repeat(70_000) }, 413],
  ])('holds for the real answer to a question %s', async (_, body, status) => {
    expect((await expectDescribed('/ask', post(body))).status).toBe(status)
  })

  it('holds for the real report on an enterprise, and for one that is not made', async () => {
    const wanted = {
      subject: '91320281XXXXXX0197',
      purpose: 'tendering',
      matter: '惠招〔2026〕118号',
      period: { from: '2020-01-01', to: '2026-01-01' },
    }
    expect((await expectDescribed('/report', post(wanted))).status).toBe(200)
    expect((await expectDescribed('/report', post({ ...wanted, period: {} }))).status).toBe(400)
  })

  it('holds for a question without a key', async () => {
    expect((await expectDescribed('/ask', post(question, ''))).status).toBe(401)
  })

  it('holds for an answer in which a peer is unknown, and for readiness in both states', async () => {
    expect((await expectDescribed('/health/live')).status).toBe(200)
    expect((await expectDescribed('/health/ready')).status).toBe(200)
    await running.stop('jiangyin')
    const { status, body } = await expectDescribed('/ask', post(question))
    expect([status, body]).toMatchObject([200, { peers: [{ outcome: 'unknown' }] }])
  })

  it('takes as a question what the surface takes, and nothing else', () => {
    const schema = document.paths['/ask']?.['post']?.requestBody?.content['application/json']?.['schema']
    const alone = JSON.stringify({ ...Object(schema), $defs: document.components.schemas })
    const described = z.fromJSONSchema(JSON.parse(alone.replaceAll('#/components/schemas/', '#/$defs/')))
    expect(described.safeParse(question).success).toBe(true)
    for (const bad of [{ urgent: true }, { subjects: [] }, { matter: '' }, { peer: 'NO' }, { purpose: undefined }])
      expect(described.safeParse({ ...question, ...bad }).success, JSON.stringify(bad)).toBe(false)
  })
})
