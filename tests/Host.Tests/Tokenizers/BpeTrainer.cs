using System.Text;

namespace RepNoise.Host.Tests.Tokenizers;

/// <summary>A vocabulary and its merges, learned from a few lines of text: enough for merges to meet in every script.</summary>
internal static class BpeTrainer
{
    /// <summary>Words of several scripts, some repeated so that they merge whole.</summary>
    public const string Sample =
        "the cat sat on the mat and the dog sat there too the end don't I'll we've THE END Hello hello world world 12 123 1234 2024 "
        + "привет мир привет мира καλημέρα κόσμε שלום עולם مرحبا بالعالم नमस्ते दुनिया สวัสดี 中文 中文字 日本語 日本 한국어 한국 "
        + "café café naïve Straße 🙂 🙂 👩‍👩‍👧 𝒳𝒴 𐐷𐐷 (a+b) == c ... !!! :: -> => _x_ {y} [z] <z> ab ab abab aa aaa aaaa bbb";

    /// <param name="characters">Writes a word in the characters that are the first symbols.</param>
    /// <param name="alphabet">Characters that are tokens whether they occur or not.</param>
    /// <param name="mergeCount">How many merges to learn at most.</param>
    public static (List<string> Tokens, List<string> Merges) Train(
        Func<string, string> characters, IEnumerable<string> alphabet, int mergeCount = 150)
    {
        var words = Sample.Split(' ').Select(word => characters(word).EnumerateRunes().Select(rune => rune.ToString()).ToList()).ToList();
        var tokens = alphabet.Concat(words.SelectMany(word => word)).Distinct().ToList();
        var known = tokens.ToHashSet();
        var merges = new List<string>();
        while (merges.Count < mergeCount)
        {
            var best = words.SelectMany(Pairs).GroupBy(pair => pair)
                .OrderByDescending(group => group.Count()).ThenBy(group => group.Key.Left + " " + group.Key.Right, StringComparer.Ordinal).First();
            var (left, right) = best.Key;
            merges.Add($"{left} {right}");
            if (known.Add(left + right))
                tokens.Add(left + right);
            words.ForEach(word => Merge(word, left, right));
        }
        return (tokens, merges);
    }

    public static string ByteLevel(string word)
    {
        var text = new StringBuilder();
        foreach (byte value in Encoding.UTF8.GetBytes(" " + word))
            text.Append(RepNoise.Host.Tokenizers.ByteLevelAlphabet.Of(value));
        return text.ToString();
    }

    public static string Metaspace(string word) => "▁" + word;

    public static IEnumerable<string> ByteLevelAlphabet() =>
        Enumerable.Range(0, 256).Select(value => RepNoise.Host.Tokenizers.ByteLevelAlphabet.Of((byte)value).ToString());

    public static IEnumerable<string> ByteTokens() => Enumerable.Range(0, 256).Select(value => $"<0x{value:X2}>");

    private static IEnumerable<(string Left, string Right)> Pairs(List<string> word) => word.Zip(word.Skip(1));

    private static void Merge(List<string> word, string left, string right)
    {
        for (int i = 0; i + 1 < word.Count; i++)
        {
            if (word[i] != left || word[i + 1] != right)
                continue;
            word[i] = left + right;
            word.RemoveAt(i + 1);
        }
    }
}
