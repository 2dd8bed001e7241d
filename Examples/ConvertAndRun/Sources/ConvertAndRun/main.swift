import SpikingBrain

// A Transformer becomes a SpikingBrain model, is healed on a text, checked, and run.
let (checkpoint, text, output) = ("demo/tiny-qwen2", "demo/war-and-peace-begin.txt", "example-out")
let other = "demo/pride-and-prejudice-end.txt"

let source = Checkpoint(checkpoint)
let converted = try source.convert(to: output + "/converted") {
  $0.attentionLayers = .list([1, 3, 5, 7])
  $0.window = 128
}
let healed = try converted.heal(teacher: source, texts: [text], to: output + "/healed") {
  $0.tokens = 16_384
  $0.steps = 40
}
print(try healed.verify(source: source).text)
print(try healed.evaluate(text: other, teacher: source) { $0.tokens = 2048 }.text)
print(try healed.generate("It is a truth ") { $0.maxTokens = 48 })
