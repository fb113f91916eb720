/** `xinqiao staff`: who may open the console where no provider vouches; accounts are made here and nowhere else. */
import { readFileSync, statSync } from 'node:fs'
import type { Accounts, Means, Shown } from '#console/accounts.ts'
import { BASE } from '#console/desk.ts'
import { length, newPassword } from '#console/password.ts'
import type { Role } from '#console/staff.ts'
import type { Settings } from './settings.ts'
import { type Command, ENV, type Exit, Failure, needed, optional, parse, settingsFrom, Usage } from './words.ts'

export const staffCommand: Command = {
  usage: [
    `staff new NAME --role viewer|auditor|operator [--passkey | --password-file FILE] ${ENV}`,
    `staff reset NAME [--passkey | --password-file FILE] ${ENV}`,
    `staff role NAME --role viewer|auditor|operator ${ENV}`,
    `staff remove NAME ${ENV}`,
    `staff list ${ENV} [--json]`,
  ],
  zh: '工作台账户：建立、重置、改角色、删除、列出',
  en: 'accounts of the console: make, reset, give another role, remove, list',
  more: `  new              生成密码和动态验证码密钥，只显示这一次；--passkey 则生成登记通行密钥的一次性链接
                   makes a password and the secret of the one-time code, shown this once; with --passkey a link that
                   serves once, for 24 hours, to enrol a passkey
  reset            重新生成登录凭据，并结束该账户的所有登录
                   makes them anew and ends the account’s sessions
  role, remove     立即生效，并结束该账户的所有登录 take effect at once and end the account’s sessions
  NAME             字母、数字、汉字和 . _ -，不得含个人号码 letters, digits, Chinese, . _ -; no number of a person
  --role           viewer 查阅员，auditor 审计员（可见完整代码、证据、导出），operator 操作员（另可查询、出报告）
                   viewer looks; auditor also sees codes in full, evidence, exports; operator also asks and makes reports
  --password-file FILE  自选密码，取文件第一行，至少 ${length.least} 个字符 the first line of FILE, at least ${length.least} characters

配置了统一身份认证（XINQIAO_STAFF_ISSUER）时，这些账户不起作用。
With an OpenID provider (XINQIAO_STAFF_ISSUER) these accounts do not hold.`,
  run: staff,
}

type Values = Readonly<Record<string, unknown>>

async function staff(words: string[]): Promise<Exit> {
  const option = { type: 'string' } as const
  const { values, positionals } = parse(words, {
    role: option,
    env: option,
    'password-file': option,
    passkey: { type: 'boolean' },
    json: { type: 'boolean' },
  })
  const [action, given, ...rest] = positionals
  if (rest.length > 0) throw new Usage({ zh: '只写一个用户名', en: 'one NAME' })
  const settings = settingsFrom(values)
  if (settings.staff.provider !== undefined)
    console.error('注意：已配置统一身份认证，本地账户不起作用。Note: there is a provider; local accounts do not hold.')
  const { accountName, accounts } = await import('#console/accounts.ts')
  const { openStaffStore } = await import('#console/staff-store.ts')
  using store = openStaffStore(settings.data)
  const known = accounts(store)
  switch (action) {
    case 'new':
    case 'reset':
      return await write(action, known, nameFrom(given, accountName), settings, values)
    case 'role': {
      const name = nameFrom(given, accountName)
      const role = roleFrom(needed(values, 'role'))
      if (!known.change(name, role)) throw missing(name)
      console.log(`已更改 changed  ${name}  ${role}`)
      return 0
    }
    case 'remove': {
      const name = nameFrom(given, accountName)
      if (!known.remove(name)) throw missing(name)
      console.log(`已删除 removed  ${name}`)
      return 0
    }
    case 'list':
      return list(known, values['json'] === true)
    default:
      throw new Usage({ form: 'staff new|reset|role|remove|list' })
  }
}

async function write(
  action: 'new' | 'reset',
  known: Accounts,
  name: string,
  settings: Settings,
  values: Values,
): Promise<Exit> {
  const chosen = chosenPassword(optional(values, 'password-file'), name)
  if (values['passkey'] === true && chosen !== undefined)
    throw new Usage({ zh: '通行密钥和密码只能选一种', en: 'a passkey or a password, not both' })
  if (values['passkey'] === true && settings.staff.origin === undefined)
    throw new Failure(
      { zh: '没有通行密钥所属的工作台地址', en: 'there is no address for passkeys to belong to' },
      {
        zh: '将 XINQIAO_STAFF_ORIGIN 设为工作人员在浏览器中输入的地址',
        en: 'set XINQIAO_STAFF_ORIGIN to the address that staff type in',
      },
    )
  const password = chosen ?? newPassword()
  const means: Means = values['passkey'] === true ? { kind: 'passkey' } : { kind: 'password', password }
  const role = action === 'new' ? roleFrom(needed(values, 'role')) : undefined
  const shown =
    role === undefined ? await known.reset(name, means, Date.now()) : await known.make(name, role, means, Date.now())
  if (shown === undefined && action === 'reset') throw missing(name)
  if (shown === undefined)
    throw new Failure(
      { zh: `已有账户 ${name}`, en: `there is an account ${name} already` },
      { zh: '`xinqiao staff reset` 重新生成其登录凭据', en: '`xinqiao staff reset` makes its credentials anew' },
    )
  console.log(action === 'new' ? `已建立 made  ${name}  ${role}` : `已重置 reset  ${name}`)
  await show(shown, name, chosen === undefined ? password : undefined, settings)
  console.error('以上内容只显示这一次，请交给本人。This is shown this once; hand it to its owner.')
  return 0
}

async function show(
  shown: Shown,
  name: string,
  made: string | undefined,
  { city, staff: { origin } }: Settings,
): Promise<void> {
  if (shown.kind === 'passkey') {
    console.log('登记链接，24 小时内用一次 to enrol a passkey, once, within 24 hours:')
    console.log(`${origin}${BASE}/enrol/${shown.link}`)
    return
  }
  const { codeUri } = await import('#console/one-time-code.ts')
  const { encodeQR } = await import('qr')
  if (made !== undefined) console.log(`密码 password  ${made}`)
  const uri = codeUri(shown.codeSecret, name, `信桥 ${city}`)
  console.log(
    `动态验证码，用验证器应用扫描 one-time code, for an authenticator app:\n${uri}\n${encodeQR(uri, 'ascii')}`,
  )
}

function list(known: Accounts, json: boolean): Exit {
  const all = known.all().map(({ name, role, made, password, passkeys, link_until }) => ({
    name,
    role,
    made: new Date(made).toISOString(),
    means:
      password !== null ? 'password' : passkeys > 0 ? 'passkey' : (link_until ?? 0) > Date.now() ? 'invited' : 'none',
  }))
  if (json) console.log(JSON.stringify(all))
  else if (all.length === 0) console.log('没有账户 there are no accounts')
  else for (const { name, role, made, means } of all) console.log(`${name}  ${role}  ${meant[means]}  ${made}`)
  return 0
}

const meant: Readonly<Record<string, string>> = {
  password: '密码和动态验证码 password and code',
  passkey: '通行密钥 passkey',
  invited: '待登记 to enrol',
  none: '链接已过期，请重置 its link is over: reset it',
}

function nameFrom(text: string | undefined, read: (text: string) => string | undefined): string {
  if (text === undefined) throw new Usage({ zh: '缺少用户名', en: 'a NAME is missing' })
  const name = read(text)
  if (name === undefined)
    throw new Usage({
      zh: '用户名为 1 至 40 个字母、数字、汉字或 . _ -，不得含有个人号码',
      en: 'a NAME has 1 to 40 letters, digits, Chinese characters, . _ - and no number of a person',
    })
  return name
}

function roleFrom(text: string): Role {
  if (text === 'viewer' || text === 'auditor' || text === 'operator') return text
  throw new Usage({ zh: '--role 为 viewer、auditor 或 operator', en: '--role is viewer, auditor or operator' })
}

function chosenPassword(file: string | undefined, name: string): string | undefined {
  if (file === undefined) return undefined
  if ((statSync(file).mode & 0o077) !== 0)
    throw new Failure(
      { zh: '其他用户可以读取该密码文件', en: 'others may read the password' },
      { zh: `运行 chmod 600 ${file}`, en: `run chmod 600 ${file}` },
    )
  const [password = ''] = readFileSync(file, 'utf8').split('\n', 1)
  if (password.length < length.least || password.length > length.most)
    throw new Failure(
      {
        zh: `密码须有 ${length.least} 至 ${length.most} 个字符`,
        en: `a password has ${length.least} to ${length.most} characters`,
      },
      { zh: '在文件第一行另写一个这样长的密码', en: 'write one of that length in the first line of the file' },
    )
  if (password.toLowerCase().includes(name))
    throw new Failure(
      { zh: '密码不得包含用户名', en: 'the password holds the name' },
      { zh: '另设密码', en: 'choose another' },
    )
  return password
}

function missing(name: string): Failure {
  return new Failure(
    { zh: `没有账户 ${name}`, en: `there is no account ${name}` },
    { zh: '`xinqiao staff list` 列出全部账户', en: '`xinqiao staff list` lists them' },
  )
}
