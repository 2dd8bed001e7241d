import Testing

@testable import Hub

/// Names of models.
struct ReferenceTests {
  @Test func `names are read and written`() throws {
    for (text, repository, revision, file) in [
      ("hf:Qwen/Qwen2.5-0.5B", "Qwen/Qwen2.5-0.5B", nil, nil),
      ("hf:gpt2", "gpt2", nil, nil),
      ("hf:a/b@v1.0", "a/b", "v1.0", nil),
      ("hf:a/b@refs/pr/1", "a/b", "refs/pr/1", nil),
      ("hf:a/b:Q4/m-00001-of-00002.gguf", "a/b", nil, "Q4/m-00001-of-00002.gguf"),
      ("hf:a/b@main:m.gguf", "a/b", "main", "m.gguf"),
    ] as [(String, String, String?, String?)] {
      let reference = try HubReference(text)
      #expect(reference.repository == repository)
      #expect(reference.revision == revision)
      #expect(reference.file == file)
      #expect(reference.text == text)
    }
    #expect(try HubReference("hf:a/b/m.gguf") == HubReference("hf:a/b:m.gguf"))
  }

  @Test(arguments: [
    "hf:", "hf:/b", "hf:a/", "hf:a/b@", "hf:a/b:", "hf:../b", "hf:a/..", "hf:a/b:../m.gguf",
    "hf:a/b@../../x", "hf:a b/c", "hf:a/b/c.gguf:d.gguf", "hf:a/b?x", "hf:a--b/c",
  ])
  func `what is no name is refused`(_ text: String) {
    #expect(throws: HubError.name(text)) { try HubReference(text) }
  }

  @Test func `a path in a cache tells its name`() throws {
    let commit = String(repeating: "0a", count: 20)
    let place = "/c/hub/models--a--b-c/snapshots/\(commit)"
    #expect(HubReference(cached: place)?.text == "hf:a/b-c@\(commit)")
    #expect(HubReference(cached: place + "/Q4/m.gguf")?.text == "hf:a/b-c@\(commit):Q4/m.gguf")
    #expect(HubReference(cached: "/c/hub/models--gpt2/snapshots/\(commit)/")?.name == "gpt2")
    for path in ["/c/models/a", "/c/snapshots/\(commit)", "models--a--b/snapshots/main"] {
      #expect(HubReference(cached: path) == nil)
    }
  }
}
