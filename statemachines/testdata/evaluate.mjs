// Evaluates JSONata as Step Functions does: reads [{expression, bindings}] from
// standard input and writes [{result} | {error}]. An expression without
// bindings is only parsed.
import { createRequire } from 'node:module'

const jsonata = createRequire(process.cwd() + '/')('jsonata')
let text = ''
for await (const chunk of process.stdin) text += chunk
const answers = []
for (const { expression, bindings } of JSON.parse(text)) {
  try {
    const compiled = jsonata(expression)
    if (!bindings) {
      answers.push({})
      continue
    }
    // https://docs.aws.amazon.com/step-functions/latest/dg/transforming-data.html
    compiled.registerFunction('partition', (list, size) =>
      Array.from({ length: Math.ceil(list.length / size) }, (_, i) => list.slice(i * size, (i + 1) * size)))
    const result = await compiled.evaluate(undefined, bindings)
    answers.push({ result: result === undefined ? null : result })
  } catch (error) {
    answers.push({ error: error.message })
  }
}
process.stdout.write(JSON.stringify(answers))
