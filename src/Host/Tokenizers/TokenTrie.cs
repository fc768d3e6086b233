using System.Buffers;
using System.Diagnostics.CodeAnalysis;

namespace RepNoise.Host.Tokenizers;

/// <summary>Finds the leftmost, and there the longest, of a set of strings. A string that is added twice keeps its first token.</summary>
internal sealed class TokenTrie
{
    private const int Root = 0;
    private readonly Dictionary<(int Node, char Unit), int> edges = [];
    private readonly List<AddedToken?> tokenOfNode = [null];
    private readonly HashSet<char> firstUnits = [];
    private SearchValues<char> first = SearchValues.Create("");

    public void Add(string text, AddedToken token)
    {
        if (text.Length == 0)
            return;
        int node = Root;
        foreach (char unit in text)
        {
            if (!edges.TryGetValue((node, unit), out int next))
            {
                next = tokenOfNode.Count;
                edges.Add((node, unit), next);
                tokenOfNode.Add(null);
            }
            node = next;
        }
        tokenOfNode[node] ??= token;
        firstUnits.Add(text[0]);
    }

    /// <summary>Follows the last <see cref="Add"/>: nothing is found before.</summary>
    public void Complete() => first = SearchValues.Create([.. firstUnits]);

    public bool Find(ReadOnlySpan<char> text, int from, out int start, out int end, [NotNullWhen(true)] out AddedToken? token)
    {
        end = 0;
        token = null;
        for (start = from; start < text.Length; start++)
        {
            int offset = text[start..].IndexOfAny(first);
            if (offset < 0)
                return false;
            start += offset;
            if (Longest(text, start, out end, out token))
                return true;
        }
        return false;
    }

    private bool Longest(ReadOnlySpan<char> text, int start, out int end, [NotNullWhen(true)] out AddedToken? token)
    {
        int node = Root;
        token = null;
        end = start;
        for (int i = start; i < text.Length && edges.TryGetValue((node, text[i]), out node); i++)
        {
            if (tokenOfNode[node] is not { } found)
                continue;
            token = found;
            end = i + 1;
        }
        return token is not null;
    }
}
