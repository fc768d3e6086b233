using System.Collections.Concurrent;
using System.Globalization;
using System.Text;

namespace RepNoise.Host.Tokenizers;

/// <summary>
/// Byte-pair encoding as the Rust library does it: a word's characters become symbols, and the pair of neighbours with the
/// lowest rank is merged, leftmost first, until no pair has a merge. Safe for concurrent use.
/// </summary>
internal sealed class Bpe : TokenModel
{
    /// <summary>
    /// The cache's bounds are the Rust library's: 10 000 words of under 256 units. Text has few distinct words, and long
    /// ones seldom recur.
    /// </summary>
    private const int CacheCapacity = 10_000;
    private const int CachedWordUnits = 256;

    [ThreadStatic]
    private static BpeWord? wordOfThread;

    private readonly BpeOptions options;
    private readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> ids;
    private readonly BpeMerges merges;
    private readonly int[]? byteIds;
    private readonly ConcurrentDictionary<string, int[]> cache = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, int[]>.AlternateLookup<ReadOnlySpan<char>> cachedWords;
    private int cached;

    /// <param name="options">The model's switches.</param>
    /// <param name="vocabulary">Ids by token; compared ordinally, every id once.</param>
    /// <param name="merges">What may merge into what.</param>
    public Bpe(BpeOptions options, Dictionary<string, int> vocabulary, BpeMerges merges)
        : base(vocabulary)
    {
        this.options = options;
        this.merges = merges;
        ids = vocabulary.GetAlternateLookup<ReadOnlySpan<char>>();
        cachedWords = cache.GetAlternateLookup<ReadOnlySpan<char>>();
        byteIds = options.ByteFallback ? ReadByteIds(vocabulary) : null;
    }

    /// <inheritdoc/>
    public override long UnitBytes => base.UnitBytes * (options.ByteFallback ? 1 + options.Affixes.ContinuingPrefix.Length + options.Affixes.EndSuffix.Length : 1);

    /// <inheritdoc/>
    public override void Encode(ReadOnlySpan<char> word, List<int> result)
    {
        if (options.IgnoreMerges && ids.TryGetValue(word, out int whole))
        {
            result.Add(whole);
            return;
        }
        bool cacheable = word.Length < CachedWordUnits;
        if (cacheable && cachedWords.TryGetValue(word, out int[]? known))
        {
            result.AddRange(known);
            return;
        }
        int start = result.Count;
        var symbols = wordOfThread ??= new BpeWord();
        Symbols(word, symbols);
        symbols.MergeAll(merges, result);
        if (symbols.IsLarge)
            wordOfThread = null;
        if (cacheable && Volatile.Read(ref cached) < CacheCapacity && cachedWords.TryAdd(word, [.. result.Skip(start)]))
            Interlocked.Increment(ref cached);
    }

    /// <summary>
    /// The word as symbols, one for every character that the vocabulary has. Another becomes its bytes where all of them are
    /// tokens, else the unknown token, else nothing.
    /// </summary>
    private void Symbols(ReadOnlySpan<char> word, BpeWord symbols)
    {
        symbols.Clear();
        bool unknownPending = false;
        int units;
        for (int i = 0; i < word.Length; i += units)
        {
            Rune.DecodeFromUtf16(word[i..], out var rune, out units);
            var character = word.Slice(i, units);
            bool isFirst = i == 0, isLast = i + units == word.Length;
            if (TryCharacter(character, isFirst, isLast, out int id))
            {
                FlushUnknown(symbols, ref unknownPending);
                symbols.Add(id);
            }
            else if (!TryBytes(character, isFirst, isLast, symbols) && options.UnknownToken is not null)
            {
                // The pending one comes after any bytes met since: the Rust library does not flush it for them.
                if (!options.FuseUnknown)
                    FlushUnknown(symbols, ref unknownPending);
                unknownPending = true;
            }
        }
        FlushUnknown(symbols, ref unknownPending);
    }

    private bool TryCharacter(ReadOnlySpan<char> character, bool isFirst, bool isLast, out int id) =>
        ids.TryGetValue(options.Affixes.Apply(isFirst, isLast) ? options.Affixes.Around(character, isFirst, isLast, stackalloc char[BpeAffixes.MostUnits]) : character, out id);

    private bool TryBytes(ReadOnlySpan<char> character, bool isFirst, bool isLast, BpeWord symbols)
    {
        if (byteIds is null)
            return false;
        Span<byte> bytes = stackalloc byte[3 * BpeAffixes.MostUnits];
        bytes = bytes[..Encoding.UTF8.GetBytes(options.Affixes.Around(character, isFirst, isLast, stackalloc char[BpeAffixes.MostUnits]), bytes)];
        foreach (byte value in bytes)
        {
            if (byteIds[value] < 0)
                return false;
        }
        foreach (byte value in bytes)
            symbols.Add(byteIds[value]);
        return true;
    }

    private void FlushUnknown(BpeWord symbols, ref bool pending)
    {
        if (pending)
            symbols.Add(Vocabulary.TryGetValue(options.UnknownToken!, out int id) ? id : throw options.UnknownTokenMissing());
        pending = false;
    }

    private static int[] ReadByteIds(Dictionary<string, int> vocabulary)
    {
        var byteIds = new int[256];
        for (int value = 0; value < byteIds.Length; value++)
            byteIds[value] = vocabulary.GetValueOrDefault(string.Create(CultureInfo.InvariantCulture, $"<0x{value:X2}>"), -1);
        return byteIds;
    }
}
