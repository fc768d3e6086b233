using System.Globalization;
using System.Text;

namespace RepNoise.Host.Checkpoints;

/// <summary>
/// Text from files in messages: quoted, without control characters and cut where it is long, so that a hostile name cannot fill or
/// steer a terminal.
/// </summary>
internal static class Quoted
{
    private const int MaxLength = 100;

    public static string Name(string text) => $"\"{Plain(text)}\"";

    /// <summary>As <see cref="Name"/>, but without quotes: for JSON values, which bring their own.</summary>
    public static string Plain(string text)
    {
        var result = new StringBuilder(Math.Min(text.Length, MaxLength) + 2);
        foreach (char c in text.AsSpan(0, Math.Min(text.Length, MaxLength)))
        {
            if (char.IsControl(c) || char.IsSurrogate(c) || char.GetUnicodeCategory(c) == UnicodeCategory.Format)
            {
                result.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}");
            }
            else
            {
                result.Append(c);
            }
        }

        return text.Length > MaxLength ? result.Append("...").ToString() : result.ToString();
    }
}
