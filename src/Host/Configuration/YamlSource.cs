using System.Text;
using RepNoise.Host.Checkpoints;
using YamlDotNet.Core;
using YamlDotNet.Core.Tokens;

namespace RepNoise.Host.Configuration;

/// <summary>
/// YAML files from outside, as far as every reader of them agrees: how large one may be, how many words, how it is decoded, and what
/// is said where it is not YAML. The bounds keep what the library does within milliseconds and what the file's bytes pay for.
/// </summary>
internal static class YamlSource
{
    /// <summary>No configuration comes near it; what does is the wrong file.</summary>
    public const int LargestFile = 1 << 16;

    /// <summary>
    /// Keys, values and the signs between them. The library takes some 280 bytes for each, whatever its length: so many take less than 1 MB.
    /// </summary>
    public const int MostTokens = 3000;

    /// <summary>
    /// Characters on one line through which the library looks ahead for the colon that makes what it has read a key. Each bracket in them is a key to be,
    /// and each step looks at all of these: at the library's own 1024 a line of brackets takes milliseconds of nothing else.
    /// </summary>
    private const int LongestKey = 128;

    /// <summary>The library reads its text in blocks of so many characters.</summary>
    private const int Block = 1024;

    private static readonly UTF8Encoding Strict = new(false, throwOnInvalidBytes: true);

    /// <summary>The text of the file at <paramref name="path"/>.</summary>
    /// <exception cref="ConfigurationException">The file is absent, too large or not UTF-8.</exception>
    public static string Read(string path) => Decode(ReadBytes(path), path);

    /// <summary>The text of a file that is in memory.</summary>
    /// <inheritdoc cref="Read"/>
    public static string Decode(ReadOnlySpan<byte> bytes, string path)
    {
        if (bytes.Length > LargestFile) throw TooLong(path, $"the file holds {bytes.Length} bytes");
        try
        {
            return Strict.GetString(bytes.StartsWith("\uFEFF"u8) ? bytes[3..] : bytes);
        }
        catch (DecoderFallbackException error)
        {
            throw new ConfigurationException(path, 0, "the file is not UTF-8 text", "a YAML file in UTF-8", "save it as UTF-8", error);
        }
    }

    /// <summary>The events of a text, which end with an exception where it has more tokens than a person's file.</summary>
    public static Parser Parse(string text, string path) => new(new BoundedScanner(Ended(text), path));

    /// <summary>True for what the library throws where a text is not YAML.</summary>
    /// <remarks>It lets checks of its own through where a tag is malformed or an anchor stands inside a plain scalar.</remarks>
    public static bool IsSyntax(Exception error) => error is YamlException or ArgumentException or InvalidOperationException;

    /// <summary>What the library threw, as the error that names file and line.</summary>
    public static ConfigurationException NotYaml(Exception error, string path, Parser parser) => new(
        path, error is YamlException known ? known.Start.Line : parser.Current?.End.Line ?? 0, $"not valid YAML ({Clause(error.Message)})",
        "lines of the form key: value", "correct the line; texts with special characters need quotes", error);

    private static byte[] ReadBytes(string path)
    {
        try
        {
            using var stream = File.OpenRead(path);
            if (stream.CanSeek && stream.Length > LargestFile) throw TooLong(path, $"the file holds {stream.Length} bytes");

            // A pipe does not tell its length: so much of it is read that its end, or its being too long, shows.
            var bytes = new byte[stream.CanSeek ? stream.Length + 1 : LargestFile + 1];
            int length = stream.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
            return length <= LargestFile ? bytes[..length] : throw TooLong(path, "the file does not end");
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new ConfigurationException(
                path, 0, "the configuration cannot be read (" + Clause(error.Message) + ")", "a readable YAML file", "check the path", error);
        }
    }

    /// <summary>
    /// Where a text ends with a block, the library learns of the end only when it asks for more, and on a line of <c>%</c> or <c>...</c> it
    /// then walks on without end. One character more, that says nothing, keeps the end inside a block.
    /// </summary>
    private static string Ended(string text) => text.Length == 0 || text.Length % Block != 0 ? text : text + (text.EndsWith('\n') ? '#' : '\n');

    private static ConfigurationException TooLong(string path, string found) => new(
        path, 0, found, $"a configuration of at most {LargestFile} bytes", "check that this is the file you mean");

    private static string Clause(string message) => Quoted.Plain(message.TrimEnd('.'));

    /// <summary>The library's scanner, stopped at the first token beyond the bounds.</summary>
    private sealed class BoundedScanner(string text, string path) : IScanner
    {
        private readonly Scanner scanner = new(new StringReader(text), skipComments: true, LongestKey);
        private int taken;

        public Mark CurrentPosition => scanner.CurrentPosition;

        public Token? Current => scanner.Current;

        public bool MoveNext()
        {
            if (Current is not null) ConsumeCurrent();
            return MoveNextWithoutConsuming();
        }

        public bool MoveNextWithoutConsuming()
        {
            bool more = scanner.MoveNextWithoutConsuming();
            if (Current is TagDirective tag) throw new ConfigurationException(path, tag.Start.Line, "found a line %TAG", "values without tags", "remove the line");
            return more;
        }

        public void ConsumeCurrent()
        {
            if (++taken > MostTokens)
            {
                throw new ConfigurationException(
                    path, Current?.Start.Line ?? 0, $"found more than {MostTokens} keys, values and signs between them", "a configuration of fewer",
                    "check that this is the file you mean");
            }

            scanner.ConsumeCurrent();
        }
    }
}
