/** The demo shows what a gateway is for: real processes, real certificates, real tables of six cities, and every kind of answer. */
import type { ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { request } from 'undici'
import { verifyLedger } from '#ledger/verify.ts'
import { rememberYesterday } from './demo-past.ts'
import { insideUrl, type Played, play, readScenes, type Scene } from './demo-scenes.ts'
import { makeStaff, showCode } from './demo-staff.ts'
import { describePlayed } from './demo-view.ts'
import { type Federation, makeFederation } from './federation.ts'
import { endProcess, startProcess } from './process.ts'

/** The city whose console the demo opens. */
const HOME = 'jiangyin'

/** Runs the demo. With `once` it ends by itself; with `json` it prints one JSON object. Gives 1 where a ledger is not whole. */
export async function demo({
  once,
  json,
  call,
}: {
  once: boolean
  json: boolean
  call: (...words: readonly string[]) => string
}): Promise<0 | 1> {
  const folder = mkdtempSync(join(tmpdir(), 'xinqiao-demo-'))
  const running: ChildProcess[] = []
  try {
    const scenes = readScenes()
    const federation = await makeFederation(folder)
    const { settings: home } = federation.city(HOME)
    await rememberYesterday(home, Date.now())
    const staff = await makeStaff(home)
    running.push(...(await Promise.all(federation.cities.map(({ environment }) => startProcess(environment)))))
    // The rows should show what a question costs, not what a gateway's first connection does; so come the untitled scenes first.
    await Promise.all(
      federation.cities.map(async ({ settings }) => (await request(`${insideUrl(settings)}/health/ready`)).body.dump()),
    )
    const played: Played[] = []
    for (const scene of scenes) played.push(await play(scene, federation))
    const ledgers = Object.fromEntries(
      federation.cities.map(({ id, settings }) => {
        const { entries, verified } = verifyLedger(join(settings.data, 'ledger.sqlite'))
        return [id, { entries, verified }]
      }),
    )
    if (json) {
      const cities = federation.cities.map(({ id, name, settings }) => ({
        id,
        name: `${name.zh} ${name.en}`,
        url: insideUrl(settings),
      }))
      console.log(
        JSON.stringify({
          cities,
          exchanges: played.flatMap(each => each.exchanges).map(({ complete: _, ...told }) => told),
          ledgers,
        }),
      )
    } else {
      console.log(`${describePlayed(played, federation)}\n`)
      for (const [id, { entries, verified }] of Object.entries(ledgers)) {
        console.log(
          `日志 ledger  ${id.padEnd(10)}${entries} 条 entries · ${verified ? '核验通过 verified' : '有误 NOT whole'}`,
        )
      }
    }
    if (!once) {
      if (!json) console.log(hints(federation, scenes, call))
      using _shown = json ? undefined : showCode(staff, `${home.staff.origin}/console`)
      await interrupted()
    }
    return Object.values(ledgers).every(({ verified }) => verified) ? 0 : 1
  } finally {
    await Promise.all(running.map(child => endProcess(child)))
    rmSync(folder, { recursive: true, force: true })
  }
}

function interrupted(): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  process.once('SIGINT', () => resolve())
  process.once('SIGTERM', () => resolve())
  return promise
}

/**
 * Leaves each city's settings and department key beside its data, and says what can be done with them, in lines to be
 * copied as they stand. All of it goes with the folder when the demo ends.
 */
function hints(
  { cities, folder }: Federation,
  scenes: readonly Scene[],
  call: (...words: readonly string[]) => string,
): string {
  const lines = cities.map(({ id, name, settings, environment, departmentKey }) => {
    const [key, env] = [join(settings.data, 'demo.key'), join(settings.data, 'xinqiao.env')]
    writeFileSync(key, `${departmentKey}\n`, { mode: 0o600 })
    const values = Object.entries(environment).map(([variable, value]) => `${variable}=${value}\n`)
    writeFileSync(env, values.join(''), { mode: 0o600 })
    const url = insideUrl(settings)
    const scene = scenes.find(({ from }) => from === id)
    const about = scene && ['--purpose', scene.purpose, '--matter', scene.matter, '--key-file', key, '--url', url]
    return [
      `${name.zh} ${name.en}   ${url}   /health/ready  /metrics  /openapi.json`,
      ...(scene && about ? [`  ${call('ask', scene.to === '*' ? 'all' : scene.to, ...scene.subjects, ...about)}`] : []),
      `  ${call('check', '--env', env)}`,
      `  ${call('ledger', 'verify', join(settings.data, 'ledger.sqlite'))}`,
    ].join('\n')
  })
  return `
${cities.length} 个城市的网关仍在运行，按 Ctrl-C 结束；可在另一终端运行：
The ${cities.length} gateways stay up; Ctrl-C ends them. In another terminal:

${lines.join('\n\n')}

文件 files  ${folder}`
}
