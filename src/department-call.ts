/** A department's command asks its own gateway in one way: with its key, for one documented answer, or it says what went wrong. */
import { readFileSync } from 'node:fs'
import type { z } from 'zod'
import { Problem } from '#protocol/message.ts'
import { refusals } from '#protocol/refusal.ts'
import { Failure, needed, optional, withHint } from './words.ts'

/**
 * Posts to the inside surface that `--url` names, with the key in `--key-file`. Gives the answer, or undefined after printing the
 * refusal with its hint. Throws Failure where the file holds no key, or what answers is no gateway; Usage without a key file.
 */
export async function askInside<T>(
  values: Readonly<Record<string, unknown>>,
  path: string,
  body: unknown,
  form: z.ZodType<T>,
): Promise<T | undefined> {
  const response = await fetch(new URL(path, optional(values, 'url') ?? 'http://127.0.0.1:8080'), {
    method: 'POST',
    headers: { authorization: `Bearer ${keyIn(needed(values, 'key-file'))}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  const said: unknown = await response.json().catch(() => undefined)
  const problem = Problem.safeParse(said)
  if (problem.success) {
    const { code, zh, detail } = problem.data
    console.error(withHint(`${zh}\n${detail} (${code})`, refusals[code].hint))
    return undefined
  }
  const answer = form.safeParse(said)
  if (!answer.success)
    throw new Failure(
      { zh: `${response.url} 的应答不是网关的应答`, en: `${response.url} does not answer as a gateway does` },
      { zh: '更正 --url', en: 'correct --url' },
    )
  return answer.data
}

function keyIn(file: string): string {
  const key = readFileSync(file === '-' ? 0 : file, 'utf8').trim()
  if (!/^xq_[!-~]+$/.test(key))
    throw new Failure(
      { zh: `${file} 中没有部门密钥`, en: `${file} holds no department key` },
      {
        zh: '指定 `xinqiao keys department` 生成的文件',
        en: 'name the file that `xinqiao keys department` was written to',
      },
    )
  return key
}
