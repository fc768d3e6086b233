using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace RepNoise.Host.Experiments;

/// <summary>Writes what <see cref="YamlTree"/> reads: the same keys and values come back.</summary>
internal static class YamlText
{
    public static string Of(YamlMap root)
    {
        using var text = new StringWriter { NewLine = "\n" };
        var emitter = new Emitter(text);
        emitter.Emit(new StreamStart());
        emitter.Emit(new DocumentStart(null, null, isImplicit: true));
        Emit(emitter, root);
        emitter.Emit(new DocumentEnd(isImplicit: true));
        emitter.Emit(new StreamEnd());
        return text.ToString();
    }

    private static void Emit(Emitter emitter, YamlValue value)
    {
        switch (value)
        {
            case YamlMap map:
                emitter.Emit(new MappingStart());
                foreach (var member in map.Members)
                {
                    emitter.Emit(Scalar(member.Key));
                    Emit(emitter, member.Value);
                }

                emitter.Emit(new MappingEnd());
                break;
            case YamlList list:
                emitter.Emit(new SequenceStart(default, default, isImplicit: true, SequenceStyle.Flow));
                foreach (var item in list.Items) Emit(emitter, item);
                emitter.Emit(new SequenceEnd());
                break;
            case YamlScalar scalar:
                emitter.Emit(scalar.Text is null ? new Scalar("~") : Scalar(scalar.Text));
                break;
        }
    }

    /// <summary>Plain where the text can stand so and does not mean null there.</summary>
    private static Scalar Scalar(string text) => YamlTree.IsNull(text)
        ? new Scalar(default, default, text, ScalarStyle.DoubleQuoted, isPlainImplicit: false, isQuotedImplicit: true)
        : new Scalar(text);
}
