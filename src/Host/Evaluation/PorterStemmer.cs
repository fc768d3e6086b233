namespace RepNoise.Host.Evaluation;

/// <summary>
/// Porter's stemmer (Program 14(3), 1980) with the extensions of NLTK's default mode, which rouge_score uses: irregular forms, y to i
/// only after a consonant that is not the first letter, ies and ied of four letters keep their e, alli and fulli and logi, m &gt; 0 before bli.
/// Takes lower-case words of a-z and 0-9.
/// </summary>
internal static class PorterStemmer
{
    /// <summary>Stems and the words that have them.</summary>
    private static readonly Dictionary<string, string> Irregular = Invert(
    [
        ("sky", ["sky", "skies"]), ("die", ["dying"]), ("lie", ["lying"]), ("tie", ["tying"]), ("news", ["news"]), ("inning", ["innings", "inning"]),
        ("outing", ["outings", "outing"]), ("canning", ["cannings", "canning"]), ("howe", ["howe"]), ("proceed", ["proceed"]),
        ("exceed", ["exceed"]), ("succeed", ["succeed"]),
    ]);

    private static readonly (string Suffix, string Replacement)[] Step2Rules =
    [
        ("ational", "ate"), ("tional", "tion"), ("enci", "ence"), ("anci", "ance"), ("izer", "ize"), ("bli", "ble"), ("alli", "al"), ("entli", "ent"),
        ("eli", "e"), ("ousli", "ous"), ("ization", "ize"), ("ation", "ate"), ("ator", "ate"), ("alism", "al"), ("iveness", "ive"),
        ("fulness", "ful"), ("ousness", "ous"), ("aliti", "al"), ("iviti", "ive"), ("biliti", "ble"), ("fulli", "ful"),
    ];

    private static readonly (string Suffix, string Replacement)[] Step3Rules =
        [("icate", "ic"), ("ative", ""), ("alize", "al"), ("iciti", "ic"), ("ical", "ic"), ("ful", ""), ("ness", "")];

    private static readonly string[] Step4Suffixes =
    [
        "al", "ance", "ence", "er", "ic", "able", "ible", "ant", "ement", "ment", "ent", "ion", "ou", "ism", "ate", "iti", "ous", "ive", "ize",
    ];

    public static string Stem(string word)
    {
        if (Irregular.TryGetValue(word, out string? stem)) return stem;
        if (word.Length <= 2) return word;
        return Step5(Step4(Step3(Step2(Step1C(Step1B(Step1A(word)))))));
    }

    private static Dictionary<string, string> Invert((string Stem, string[] Words)[] forms) =>
        forms.SelectMany(form => form.Words, (form, word) => (word, form.Stem)).ToDictionary(pair => pair.word, pair => pair.Stem);

    private static bool IsConsonant(string word, int i) => word[i] switch
    {
        'a' or 'e' or 'i' or 'o' or 'u' => false,
        'y' => i == 0 || !IsConsonant(word, i - 1),
        _ => true,
    };

    /// <summary>m: how often a run of vowels is followed by a run of consonants.</summary>
    private static int Measure(string stem)
    {
        int m = 0;
        for (int i = 1; i < stem.Length; i++) m += IsConsonant(stem, i) && !IsConsonant(stem, i - 1) ? 1 : 0;
        return m;
    }

    private static bool HasVowel(string stem)
    {
        for (int i = 0; i < stem.Length; i++)
        {
            if (!IsConsonant(stem, i)) return true;
        }

        return false;
    }

    private static bool EndsDouble(string word) => word.Length >= 2 && word[^1] == word[^2] && IsConsonant(word, word.Length - 1);

    /// <summary>Ends consonant, vowel, consonant, the last not w, x or y; or is a vowel and a consonant.</summary>
    private static bool EndsShort(string word) =>
        (word.Length >= 3 && IsConsonant(word, word.Length - 3) && !IsConsonant(word, word.Length - 2) && IsConsonant(word, word.Length - 1)
            && word[^1] is not ('w' or 'x' or 'y'))
        || (word.Length == 2 && !IsConsonant(word, 0) && IsConsonant(word, 1));

    private static string Step1A(string word)
    {
        if (word.EndsWith("ies", StringComparison.Ordinal) && word.Length == 4) return word[..^1];
        if (word.EndsWith("sses", StringComparison.Ordinal) || word.EndsWith("ies", StringComparison.Ordinal)) return word[..^2];
        return word.EndsWith("ss", StringComparison.Ordinal) || word[^1] != 's' ? word : word[..^1];
    }

    private static string Step1B(string word)
    {
        if (word.EndsWith("ied", StringComparison.Ordinal)) return word.Length == 4 ? word[..^1] : word[..^2];
        if (word.EndsWith("eed", StringComparison.Ordinal)) return Measure(word[..^3]) > 0 ? word[..^1] : word;
        string? stem = word.EndsWith("ed", StringComparison.Ordinal) ? word[..^2] : word.EndsWith("ing", StringComparison.Ordinal) ? word[..^3] : null;
        if (stem is null || !HasVowel(stem)) return word;
        if (stem.EndsWith("at", StringComparison.Ordinal) || stem.EndsWith("bl", StringComparison.Ordinal) || stem.EndsWith("iz", StringComparison.Ordinal))
            return stem + "e";
        if (EndsDouble(stem)) return stem[^1] is 'l' or 's' or 'z' ? stem : stem[..^1];
        return Measure(stem) == 1 && EndsShort(stem) ? stem + "e" : stem;
    }

    private static string Step1C(string word) =>
        word[^1] == 'y' && word.Length > 2 && IsConsonant(word, word.Length - 2) ? word[..^1] + "i" : word;

    private static string Step2(string word)
    {
        if (word.EndsWith("alli", StringComparison.Ordinal) && Measure(word[..^4]) > 0) return Step2(word[..^2]);
        foreach (var (suffix, replacement) in Step2Rules)
        {
            if (word.EndsWith(suffix, StringComparison.Ordinal))
                return Measure(word[..^suffix.Length]) > 0 ? word[..^suffix.Length] + replacement : word;
        }

        // The measure of logi counts the l: psychologi to psycholog.
        return word.EndsWith("logi", StringComparison.Ordinal) && Measure(word[..^3]) > 0 ? word[..^1] : word;
    }

    private static string Step3(string word)
    {
        foreach (var (suffix, replacement) in Step3Rules)
        {
            if (word.EndsWith(suffix, StringComparison.Ordinal))
                return Measure(word[..^suffix.Length]) > 0 ? word[..^suffix.Length] + replacement : word;
        }

        return word;
    }

    private static string Step4(string word)
    {
        foreach (string suffix in Step4Suffixes)
        {
            if (!word.EndsWith(suffix, StringComparison.Ordinal)) continue;
            string stem = word[..^suffix.Length];
            return Measure(stem) > 1 && (suffix != "ion" || stem[^1] is 's' or 't') ? stem : word;
        }

        return word;
    }

    private static string Step5(string word)
    {
        if (word[^1] == 'e')
        {
            string stem = word[..^1];
            int m = Measure(stem);
            if (m > 1 || (m == 1 && !EndsShort(stem))) word = stem;
        }

        return word.EndsWith("ll", StringComparison.Ordinal) && Measure(word[..^1]) > 1 ? word[..^1] : word;
    }
}
