using System.Globalization;

namespace RepNoise.Host.Tokenizers.Patterns;

/// <summary>
/// A set of code points. The basic plane is a bitmap in rows of blocks, each made when a code point of it is first asked for, Latin-1
/// apart from the rest; but a set's first questions, as many as a block has code points, the definition answers: a hostile pattern of
/// a thousand sets costs what its text uses of them. Beyond the plane the definition decides. Safe for concurrent use.
/// Categories are those of the runtime's Unicode tables: where these are newer than the Rust library's, they can differ only
/// on code points that the older tables leave unassigned.
/// </summary>
internal sealed class CodePointSet
{
    private const int PlaneSize = 0x10000;
    private const int BlockBits = 8;
    private const int RowBits = 4;

    // Stands first: the sets below are built from it.
    private static readonly (string Name, UnicodeCategory Category)[] Names =
    [
        ("Lu", UnicodeCategory.UppercaseLetter), ("Ll", UnicodeCategory.LowercaseLetter),
        ("Lt", UnicodeCategory.TitlecaseLetter), ("Lm", UnicodeCategory.ModifierLetter), ("Lo", UnicodeCategory.OtherLetter),
        ("Mn", UnicodeCategory.NonSpacingMark), ("Mc", UnicodeCategory.SpacingCombiningMark), ("Me", UnicodeCategory.EnclosingMark),
        ("Nd", UnicodeCategory.DecimalDigitNumber), ("Nl", UnicodeCategory.LetterNumber), ("No", UnicodeCategory.OtherNumber),
        ("Zs", UnicodeCategory.SpaceSeparator), ("Zl", UnicodeCategory.LineSeparator), ("Zp", UnicodeCategory.ParagraphSeparator),
        ("Cc", UnicodeCategory.Control), ("Cf", UnicodeCategory.Format), ("Cs", UnicodeCategory.Surrogate),
        ("Co", UnicodeCategory.PrivateUse), ("Cn", UnicodeCategory.OtherNotAssigned),
        ("Pc", UnicodeCategory.ConnectorPunctuation), ("Pd", UnicodeCategory.DashPunctuation),
        ("Ps", UnicodeCategory.OpenPunctuation), ("Pe", UnicodeCategory.ClosePunctuation),
        ("Pi", UnicodeCategory.InitialQuotePunctuation), ("Pf", UnicodeCategory.FinalQuotePunctuation),
        ("Po", UnicodeCategory.OtherPunctuation), ("Sm", UnicodeCategory.MathSymbol), ("Sc", UnicodeCategory.CurrencySymbol),
        ("Sk", UnicodeCategory.ModifierSymbol), ("So", UnicodeCategory.OtherSymbol),
    ];

    private static readonly CodePointSet?[] Singles = new CodePointSet?[128];

    private readonly Func<int, bool> definition;
    private ulong[]? latin;
    private ulong[]?[]?[]? rows;

    /// <summary>Questions that found no block. Threads may lose a count of each other's: that makes a block a little later.</summary>
    private int unfilled;

    public CodePointSet(Func<int, bool> definition) => this.definition = definition;

    /// <summary>Oniguruma's <c>\s</c>: White_Space.</summary>
    public static Func<int, bool> Space { get; } = CodePoint.IsWhiteSpace;

    /// <summary>
    /// Oniguruma's <c>\w</c> inside a class: Unicode's alphabetic characters (letters, letter numbers and the circled letters,
    /// which are symbols by category), marks, decimal digits and connector punctuation.
    /// </summary>
    public static Func<int, bool> Word { get; } = Union(
        Category("L", "M", "Nd", "Nl", "Pc"),
        codePoint => codePoint is (>= 0x24B6 and <= 0x24E9) or (>= 0x1F130 and <= 0x1F149) or (>= 0x1F150 and <= 0x1F169)
            or (>= 0x1F170 and <= 0x1F189));

    /// <summary>Oniguruma's <c>\w</c> outside a class, where its table for Latin-1 adds superscripts and fractions.</summary>
    public static Func<int, bool> WordOutsideClass { get; } = Union(
        Word, codePoint => codePoint is 0xB2 or 0xB3 or 0xB9 or (>= 0xBC and <= 0xBE));

    /// <summary>Oniguruma's <c>\d</c>: decimal digits of every script.</summary>
    public static Func<int, bool> Digit { get; } = Category("Nd");

    /// <summary>Oniguruma's <c>\h</c>.</summary>
    public static Func<int, bool> HexDigit { get; } = codePoint => codePoint < 128 && char.IsAsciiHexDigit((char)codePoint);

    /// <summary>The set of one code point; those of ASCII are kept and shared.</summary>
    public static CodePointSet Of(int codePoint) => codePoint < Singles.Length
        ? Singles[codePoint] ??= new CodePointSet(other => other == codePoint)
        : new CodePointSet(other => other == codePoint);

    public bool Contains(int codePoint)
    {
        if (codePoint >= PlaneSize)
            return definition(codePoint);
        int number = codePoint >> BlockBits;
        var block = number == 0 ? latin : rows?[number >> RowBits]?[number & ((1 << RowBits) - 1)];
        if (block is null)
        {
            if (unfilled < 1 << BlockBits)
            {
                unfilled++;
                return definition(codePoint);
            }
            block = Fill(number);
        }
        return (block[(codePoint >> 6) & 3] & (1UL << (codePoint & 63))) != 0;
    }

    /// <summary>Two threads may fill the same block: with the same bits, and one of the two stays.</summary>
    private ulong[] Fill(int number)
    {
        var block = new ulong[1 << (BlockBits - 6)];
        for (int at = 0; at < 1 << BlockBits; at++)
        {
            if (definition((number << BlockBits) + at))
                block[at >> 6] |= 1UL << (at & 63);
        }
        if (number == 0)
        {
            Volatile.Write(ref latin, block);
            return block;
        }
        var all = Volatile.Read(ref rows) ?? Interlocked.CompareExchange(ref rows, new ulong[PlaneSize >> (BlockBits + RowBits)][][], null) ?? rows;
        ref var row = ref all[number >> RowBits];
        var blocks = Volatile.Read(ref row) ?? Interlocked.CompareExchange(ref row, new ulong[1 << RowBits][], null) ?? row;
        Volatile.Write(ref blocks[number & ((1 << RowBits) - 1)], block);
        return block;
    }

    public static Func<int, bool> Not(Func<int, bool> set) => codePoint => !set(codePoint);

    public static Func<int, bool> Union(Func<int, bool> left, Func<int, bool> right) => codePoint => left(codePoint) || right(codePoint);

    /// <summary>The union of general categories by their short names: <c>Lu</c>, or <c>L</c> for all that start with it.</summary>
    public static Func<int, bool> Category(params ReadOnlySpan<string> names)
    {
        int mask = 0;
        foreach (string name in names)
            mask |= CategoryMask(name);
        return Categories(mask);
    }

    /// <summary>The code points of the general categories in a mask.</summary>
    public static Func<int, bool> Categories(int mask) => codePoint => (CodePoint.CategoryBit(codePoint) & mask) != 0;

    /// <summary>Bits of the categories that a short name covers; 0 where the name is none.</summary>
    public static int CategoryMask(string name)
    {
        int mask = 0;
        foreach (var (shortName, category) in Names)
        {
            if (shortName == name || (name.Length == 1 && shortName[0] == name[0]))
                mask |= 1 << (int)category;
        }
        return mask;
    }
}
