package org.ternvk;

import java.nio.charset.StandardCharsets;

/** A model and one conversation with it. Not for several threads at once. */
public final class Ternvk implements AutoCloseable {
    /** Gets text as it is written, in whole UTF-8 characters; false ends it. */
    public interface Listener {
        boolean onText(byte[] utf8);
    }

    static {
        System.loadLibrary("ternvk_jni");
    }

    private long handle;

    /**
     * @param model   path of a GGUF file that the application can read
     * @param context positions, prompt and answer together; 0: the model's own number
     * @throws IllegalStateException no Vulkan device, not enough memory, no such model: the reason is its text
     */
    public Ternvk(String model, int context) {
        handle = open(model.getBytes(StandardCharsets.UTF_8), context);
    }

    /** Writes on behind the text so far, then behind `prompt`, at most `tokens` tokens. */
    public void generate(String prompt, int tokens, float temperature, Listener listener) {
        if (handle == 0) throw new IllegalStateException("closed");
        generate(handle, prompt.getBytes(StandardCharsets.UTF_8), tokens, temperature, listener);
    }

    @Override
    public void close() {
        if (handle != 0) close(handle);
        handle = 0;
    }

    /* Strings go as bytes: JNI's own UTF-8 is another one. */
    private static native long open(byte[] model, int context);
    private static native void generate(long handle, byte[] prompt, int tokens, float temperature, Listener listener);
    private static native void close(long handle);
}
