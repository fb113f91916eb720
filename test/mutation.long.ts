/**
 * Mutation testing of src/trust and src/agreement in a copy of the project, to be run by hand:
 * `node test/mutation.long.ts [FILE...] [--concurrency N] [--keep]`, FILE such as `trust/verify.ts`; without any, all. Prints the
 * score of each file and every mutant that lives (docs/mutation.md). Stryker is fetched for the copy alone, and no dependency.
 */
import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { z } from 'zod'

const STRYKER = ['@stryker-mutator/core@10.1.1', '@stryker-mutator/vitest-runner@10.1.1']

const paths = [
  'certificate',
  'certificate-paths',
  'certificate-federation',
  'certificate-members',
  'certificate-revocation',
]
const masking = ['agreement/masking-bounds', 'agreement/gates-masking', 'agreement/gates-persons']
const reading = ['certificate-reading', 'certificate-names']

/**
 * The tests that hold each file to what it promises; all tests for each mutant would take days. None whose cases need those before
 * them: of a mutant only the cases that reach it are run, and one that fails for want of the others would count as a kill.
 */
const testsOf: Readonly<Record<string, readonly string[]>> = {
  'trust/verify.ts': ['trust/verify-bounds', 'trust/rfc8725bis'],
  'trust/jws.ts': ['trust/jws', 'trust/jws-header', 'trust/cookbook', 'trust/algorithms', 'trust/rfc8725bis'],
  'trust/certificate.ts': paths.map(name => `trust/${name}`),
  'trust/revocation.ts': ['revocation-lists', 'certificate-revocation', 'certificate-members', ...reading].map(
    name => `trust/${name}`,
  ),
  'trust/names.ts': [...reading, 'names-bounds', 'certificate-federation'].map(name => `trust/${name}`),
  'trust/statement.ts': ['trust/statement-bounds', 'trust/roll'],
  'trust/members.ts': ['trust/members-bounds', 'trust/certificate-members', 'trust/roll'],
  'trust/anchors.ts': ['trust/anchors', 'trust/members-bounds', 'trust/certificate-members'],
  'trust/keys.ts': ['trust/our-keys'],
  'trust/seal.ts': ['trust/seal', 'trust/seal-cookbook', 'trust/seal-bounds'],
  'trust/sign.ts': ['trust/sign'],
  'trust/departments.ts': ['trust/departments'],
  'trust/jwk.ts': ['trust/algorithms', 'trust/cookbook'],
  'trust/x509.ts': [
    ...reading,
    'der-bounds',
    'certificate',
    'certificate-paths',
    'revocation-lists',
    'certificate-revocation',
  ].map(name => `trust/${name}`),
  'trust/der.ts': [...reading, 'der-bounds', 'certificate-revocation'].map(name => `trust/${name}`),
  'trust/sm2.ts': ['trust/sm2-keys', 'trust/algorithms'],
  'trust/der-writer.ts': ['trust/der-writer'],
  'trust/request.ts': ['trust/request', 'trust/algorithms'],
  'trust/certs-command.ts': ['trust/certificate-command'],
  'trust/proxy.ts': ['operations/proxy'],
  'agreement/authorise.ts': ['agreement/scope'],
  'agreement/quota.ts': ['agreement/quota-law', 'agreement/scope'],
  'agreement/agreement.ts': ['agreement/agreement-files'],
  'agreement/gates.ts': ['agreement/gates', ...masking],
  'agreement/mask.ts': masking,
  'agreement/names.ts': masking,
  'agreement/numbers.ts': masking,
  'agreement/look.ts': masking,
  'agreement/operator.ts': masking,
  'agreement/publicity.ts': ['agreement/publicity', 'agreement/publicity-bounds', 'agreement/gates'],
  'agreement/measures.ts': ['agreement/measures', 'agreement/measures-bounds'],
  'agreement/verdict.ts': ['agreement/verdict'],
  'agreement/recognise.ts': ['agreement/recognise-bounds', 'agreement/recognise'],
  'agreement/recognition.ts': ['agreement/recognition-bounds', 'agreement/recognise'],
  'agreement/counts.ts': ['agreement/counts-bounds', 'agreement/quota-law'],
  'agreement/disclose.ts': ['disclose-bounds', 'gates', 'scope', 'gates-persons'].map(name => `agreement/${name}`),
}

/** Leaves the wording of what reaches the operator's log alone: the codes of refusals and the texts of faults are mutated. */
const IGNORER = `
import { declareValuePlugin, PluginKind } from '@stryker-mutator/api/plugin'
const isText = node => ['StringLiteral', 'TemplateLiteral', 'TemplateElement'].includes(node?.type)
const shouldIgnore = ({ node, parent }) => {
  if (!isText(node) || !parent) return undefined
  const callee = parent.callee?.name
  const last = parent.arguments?.at(-1) === node && parent.arguments.length
  const isLog =
    (parent.type === 'NewExpression' && callee === 'Malformed') ||
    (callee === 'refuse' && parent.arguments[1] === node) ||
    (callee === 'fault' && last === 3 && parent.arguments[1].type === 'Identifier') ||
    (parent.type === 'ObjectProperty' && parent.key?.name === 'detail')
  return isLog ? 'wording of the log' : undefined
}
export const strykerPlugins = [declareValuePlugin(PluginKind.Ignore, 'log', { shouldIgnore })]
`

const Report = z.object({
  files: z.record(
    z.string(),
    z.object({
      source: z.string(),
      mutants: z.array(
        z.object({
          status: z.string(),
          mutatorName: z.string(),
          replacement: z.string().optional(),
          location: z.object({ start: z.object({ line: z.int(), column: z.int() }) }),
        }),
      ),
    }),
  ),
})

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { concurrency: { type: 'string', default: '2' }, keep: { type: 'boolean', default: false } },
})
const chosen = positionals.length > 0 ? positionals : Object.keys(testsOf)
const unknown = chosen.filter(file => testsOf[file] === undefined)
if (unknown.length > 0) throw new RangeError(`no tests are named here for ${unknown.join(', ')}`)

const home = join(import.meta.dirname, '..')
const copy = mkdtempSync(join(tmpdir(), 'xinqiao-mutation-'))

function run(command: string, ...args: readonly string[]): void {
  const { status, error } = spawnSync(command, args, { cwd: copy, stdio: ['ignore', 'ignore', 'inherit'] })
  if (status !== 0) throw new Error(`${command} ${args[0]} ended with status ${status}`, { cause: error })
}

try {
  // Stryker writes into the files that it mutates, and stumbles over a tsconfig.json of this TypeScript.
  const left = ['node_modules', '.git', 'tsconfig.json', 'reports']
  cpSync(home, copy, { recursive: true, filter: path => !left.some(name => path === join(home, name)) })
  run('npm', 'ci')
  run('npm', 'install', '--no-save', '--save-exact', ...STRYKER)
  writeFileSync(join(copy, 'ignorer.mjs'), IGNORER)
  console.log('| file | mutants | killed | lived | score |\n|---|---|---|---|---|')
  const lived: string[] = []
  for (const file of chosen) lived.push(...mutated(file))
  console.log(`\n${lived.join('\n')}`)
} finally {
  if (values.keep) console.error(copy)
  else rmSync(copy, { recursive: true, force: true })
}

/** Mutates one file, prints its line of the table, and gives what lived. */
function mutated(file: string): string[] {
  const include = testsOf[file]?.map(name => `test/${name}.test.ts`) ?? []
  writeFileSync(
    join(copy, 'vitest.mutation.config.ts'),
    `export default { test: ${JSON.stringify({ include, testTimeout: 30_000, hookTimeout: 60_000 })} }\n`,
  )
  const options = {
    testRunner: 'vitest',
    plugins: ['@stryker-mutator/vitest-runner', './ignorer.mjs'],
    ignorers: ['log'],
    coverageAnalysis: 'perTest',
    mutate: [`src/${file}`],
    inPlace: true,
    concurrency: Number(values.concurrency),
    vitest: { configFile: 'vitest.mutation.config.ts', related: false },
    reporters: ['json'],
    jsonReporter: { fileName: 'mutation.json' },
    timeoutMS: 20_000,
  }
  writeFileSync(join(copy, 'stryker.config.json'), JSON.stringify(options))
  run('node', 'node_modules/@stryker-mutator/core/bin/stryker.js', 'run')
  const report = Report.parse(JSON.parse(readFileSync(join(copy, 'mutation.json'), 'utf8')))
  return Object.entries(report.files).flatMap(([path, { source, mutants }]) => {
    const count = (...statuses: string[]) => mutants.filter(({ status }) => statuses.includes(status)).length
    // A suite that cannot even start, which Stryker calls an error, has noticed the mutant too.
    const [killed, alive] = [count('Killed', 'Timeout', 'RuntimeError'), count('Survived', 'NoCoverage')]
    const score = ((100 * killed) / Math.max(killed + alive, 1)).toFixed(1)
    console.log(`| ${file} | ${killed + alive} | ${killed} | ${alive} | ${score} % |`)
    const lines = source.split('\n')
    return mutants
      .filter(({ status }) => status === 'Survived' || status === 'NoCoverage')
      .map(({ mutatorName, replacement = '', location: { start } }) => {
        const line = lines[start.line - 1]?.trim() ?? ''
        return `${path}:${start.line}:${start.column} ${mutatorName} ${JSON.stringify(replacement)} in ${line}`
      })
  })
}
