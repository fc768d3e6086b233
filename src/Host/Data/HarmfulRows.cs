namespace RepNoise.Host.Data;

/// <summary>Which rows of the two harm data sets hold harmful text; a row that does not say counts as harmful.</summary>
internal static class HarmfulRows
{
    /// <summary>BeaverTails marks each answer by <c>is_safe</c>.</summary>
    public static bool IsUnsafe(DataRow row) => !row.Has("is_safe") || !row.Flag("is_safe");

    /// <summary>DecodingTrust's file mixes <c>toxic</c>, <c>non_toxic</c> and <c>toxic_test</c> rows.</summary>
    public static bool IsToxic(DataRow row) => !row.Has("type") || row.Text("type") == "toxic";
}
