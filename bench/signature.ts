/** What the signature of a question costs by node:crypto and by jose, in processor time of the whole process. */
import { createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto'
import { CompactSign, compactVerify } from 'jose'
import { compact, type Header, proves, readJws } from '#trust/jws.ts'

const IN_FLIGHT = 32
const ROUNDS = 9
const EACH = 2_000

const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const id = 'A'.repeat(43)
const header: Header = { alg: 'ES256', kid: id, typ: 'credit-query+jwt', 'x5t#S256': id }
const payload = JSON.stringify({ text: 'x'.repeat(700) })
const bytes = new TextEncoder().encode(payload)
const { token } = compact(header, payload, privateKey)
const imported = {
  pub: createPublicKey(publicKey.export({ type: 'spki', format: 'pem' })),
  priv: createPrivateKey(privateKey.export({ type: 'pkcs8', format: 'pem' })),
}

const figures = {
  node_verify_us: await cost(() => proves(readJws(token, header.typ), publicKey)),
  jose_verify_us: await cost(() => compactVerify(token, imported.pub, { algorithms: ['ES256'] })),
  node_sign_us: await cost(() => compact(header, payload, privateKey)),
  jose_sign_us: await cost(() => new CompactSign(bytes).setProtectedHeader(header).sign(imported.priv)),
}
console.log(JSON.stringify(figures))

/** Processor time of one operation in microseconds: the median of several rounds, so many in flight at once. */
async function cost(operation: () => unknown): Promise<number> {
  const rounds: number[] = []
  for (let round = 0; round <= ROUNDS; round++) {
    let left = EACH
    const before = process.cpuUsage()
    await Promise.all(
      Array.from({ length: IN_FLIGHT }, async () => {
        while (left-- > 0) await operation()
      }),
    )
    const { user, system } = process.cpuUsage(before)
    // The first round only warms up.
    if (round > 0) rounds.push((user + system) / EACH)
  }
  const median = rounds.sort((a, b) => a - b)[Math.floor(rounds.length / 2)] ?? 0
  return Number(median.toFixed(1))
}
