namespace RepNoise.Host.Benchmarks;

/// <summary>
/// A model and a micro-batch of pairs whose operations the suite times. A packed pair is its prompt and two answers, so there are
/// B (prompt + 2 answer) token rows; loss terms read the B x answer rows of one answer.
/// </summary>
/// <param name="Name">What asks for it.</param>
/// <param name="V">Vocabulary.</param>
/// <param name="C">Hidden size.</param>
/// <param name="F">Feed-forward size.</param>
/// <param name="Heads">Query heads.</param>
/// <param name="KeyValueHeads">Key/value heads.</param>
/// <param name="B">Pairs.</param>
/// <param name="Prompt">Tokens that both answers share.</param>
/// <param name="Answer">Tokens of an answer.</param>
internal sealed record SuiteModel(string Name, int V, int C, int F, int Heads, int KeyValueHeads, int B, int Prompt, int Answer)
{
    /// <summary>Two small models, one with a large vocabulary and one that is deeper, and the layers of a 1.1 B Llama.</summary>
    public static readonly IReadOnlyList<SuiteModel> All =
    [
        new("a", 32000, 256, 688, 8, 8, 4, 128, 128),
        new("b", 4096, 512, 1376, 8, 8, 4, 64, 64),
        new("large", 32000, 2048, 5632, 32, 4, 2, 256, 128),
    ];

    /// <summary>Token rows.</summary>
    public int N => B * (Prompt + 2 * Answer);

    /// <summary>Rows of one loss term.</summary>
    public int R => B * Answer;

    public int HeadSize => C / Heads;
}
