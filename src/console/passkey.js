/** The browser asks for the passkey when its button is pressed, and the form carries the answer; nothing else is done here. */
const form = document.querySelector('form[data-passkey]')
const bytes = text => Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), one => one.charCodeAt(0))
const text = buffer =>
  btoa(String.fromCharCode(...new Uint8Array(buffer)))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '')

// By hand, for browsers without PublicKeyCredential.parseCreationOptionsFromJSON, of which offices have many.
function publicKeyOf({ challenge, user, excludeCredentials: _, ...rest }) {
  return { ...rest, challenge: bytes(challenge), ...(user && { user: { ...user, id: bytes(user.id) } }) }
}

const members = ['clientDataJSON', 'attestationObject', 'authenticatorData', 'signature', 'userHandle']

form?.addEventListener('submit', async event => {
  event.preventDefault()
  const failed = form.querySelector('[data-failed]')
  failed.hidden = true
  try {
    const { kind, ...options } = JSON.parse(form.dataset.passkey)
    const publicKey = publicKeyOf(options)
    const made = await navigator.credentials[kind]({ publicKey })
    const response = {}
    for (const name of members) if (made.response[name]) response[name] = text(made.response[name])
    const { id, type } = made
    const answer = { id, rawId: text(made.rawId), type, clientExtensionResults: {}, response }
    form.elements.namedItem('credential').value = JSON.stringify(answer)
    form.submit()
  } catch {
    failed.hidden = false
  }
})
