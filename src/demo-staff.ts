/** The demo's one member of staff gets in as any other does: by name, password and the one-time code of this half minute. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { stderr } from 'node:process'
import { accounts } from '#console/accounts.ts'
import { codeAt } from '#console/one-time-code.ts'
import { newPassword } from '#console/password.ts'
import { openStaffStore } from '#console/staff-store.ts'
import type { Settings } from './settings.ts'

const NAME = 'demo'
/** Milliseconds for which a code serves. */
const STEP = 30_000

type Person = { readonly name: string; readonly password: string; readonly codeSecret: string }

/** Makes the account, an operator who may ask for the demo's department. It goes with the folder of the demo. */
export async function makeStaff({ data }: Settings): Promise<Person> {
  using store = openStaffStore(data)
  const password = newPassword()
  const shown = await accounts(store).make(NAME, 'operator', { kind: 'password', password }, Date.now())
  if (shown?.kind !== 'password') throw new Error('the demo has an account already')
  writeFileSync(join(data, 'mandates.json'), JSON.stringify({ [NAME]: ['demo'] }), { mode: 0o600 })
  return { name: NAME, password, codeSecret: shown.codeSecret }
}

/** Says how to get in, and goes on saying the code, in one line where that is a terminal, until it is disposed. */
export function showCode({ name, password, codeSecret }: Person, url: string): Disposable {
  stderr.write(`\n工作台 console  ${url}\n  用户名 name     ${name}\n  密码 password   ${password}\n`)
  const line = (now = Date.now()) => {
    return `  验证码 code     ${codeAt(codeSecret, now)}  （${Math.ceil((STEP - (now % STEP)) / 1000)} s）`
  }
  if (!stderr.isTTY) {
    let timer: NodeJS.Timeout
    // Each code once, from the moment when it begins to serve.
    let begins = Date.now()
    const say = () => {
      stderr.write(`${line(begins)}\n`)
      begins += STEP - (begins % STEP)
      timer = setTimeout(say, begins - Date.now())
    }
    say()
    return { [Symbol.dispose]: () => clearTimeout(timer) }
  }
  const timer = setInterval(() => stderr.write(`\r${line()} `), 1_000)
  return {
    [Symbol.dispose]: () => {
      clearInterval(timer)
      stderr.write('\n')
    },
  }
}
